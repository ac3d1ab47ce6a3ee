//! Profiles, regions and endpoints, from an environment and files that are made up.

use aws_types::os_shim_internal::{Env, Fs};

use super::*;

async fn profiles(env: &[(&str, &str)], files: &[(&str, &str)], named: Option<&str>) -> (Env, ProfileSet) {
    let mut env = env.to_vec();
    env.push(("HOME", "/home/me"));
    let (env, fs) = (Env::from_slice(&env), Fs::from_slice(files));
    let profiles = load_profiles(&env, &fs, named).await.unwrap();
    (env, profiles)
}

const FILES: &[(&str, &str)] = &[(
    "/home/me/.aws/config",
    "[default]\nregion = eu-west-1\n\
     [profile sso]\nsso_session = s\nregion = us-west-2\n\
     [profile over]\nrole_arn = r\nsource_profile = sso\n\
     [profile console]\nlogin_session = x\n",
)];

#[tokio::test]
async fn a_named_profile_that_is_not_there_ends_the_search() {
    for (vars, named) in [(&[("AWS_PROFILE", "ssso")][..], None), (&[], Some("ssso"))] {
        let (env, profiles) = profiles(vars, FILES, named).await;
        let error = check_profile(&Places::look(&env, &profiles, named, None), &profiles).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoCredentials);
        assert_eq!(error.to_string(), "AWS profile `ssso` does not exist");
        assert_eq!(error.help[0], "profiles there: console, default, over, sso");
    }
    let (env, profiles) = profiles(&[], &[], None).await;
    assert!(check_profile(&Places::look(&env, &profiles, None, None), &profiles).is_ok());
}

#[tokio::test]
async fn the_session_to_renew_is_found_behind_other_profiles() {
    for (name, login) in [
        ("sso", Some("aws sso login")),
        ("over", Some("aws sso login")),
        ("console", Some("aws login")),
        ("default", None),
    ] {
        let (env, profiles) = profiles(&[("AWS_PROFILE", name)], FILES, None).await;
        assert_eq!(Places::look(&env, &profiles, None, None).login, login, "{name}");
    }
}

#[tokio::test]
async fn configuration_files_that_cannot_be_read_are_named() {
    let env = Env::from_slice(&[("HOME", "/home/me")]);
    let fs = Fs::from_slice(&[("/home/me/.aws/config", "[default\nregion = x\n")]);
    let error = load_profiles(&env, &fs, None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.starts_with("the AWS configuration files cannot be read: "), "{}", error.message);
    assert!(error.message.contains(".aws/config"), "{}", error.message);
}

#[tokio::test]
async fn the_region_is_the_files_then_the_environments_then_the_profiles() {
    let (env, set) = profiles(&[("AWS_DEFAULT_REGION", "ap-south-1")], FILES, None).await;
    assert_eq!(region(Some("us-east-1"), &env, &set).as_deref(), Some("us-east-1"));
    assert_eq!(region(None, &env, &set).as_deref(), Some("ap-south-1"));
    let (env, set) = profiles(&[], FILES, Some("sso")).await;
    assert_eq!(region(None, &env, &set).as_deref(), Some("us-west-2"));
    let (env, set) = profiles(&[], &[], None).await;
    assert_eq!(region(None, &env, &set), None);
    let error = no_region(&Places::look(&env, &set, None, None));
    assert_eq!(
        error.to_string(),
        "no AWS region\n  looked in: `[aws] region` of byob.toml, AWS_REGION, AWS_DEFAULT_REGION, profile `default` (not there)"
    );
}

#[test]
fn an_endpoint_is_awss_own_or_a_host_with_its_port() {
    for (url, endpoint) in [
        ("http://localhost:5000", Endpoint::Custom("localhost:5000".into())),
        ("http://127.0.0.1:5000/", Endpoint::Custom("127.0.0.1:5000".into())),
        ("https://s3.example.com/base", Endpoint::Custom("s3.example.com:443".into())),
        ("http://Minio", Endpoint::Custom("minio:80".into())),
        ("https://vpce-1.s3.us-east-1.vpce.amazonaws.com", Endpoint::Aws),
        ("https://s3.cn-north-1.amazonaws.com.cn", Endpoint::Aws),
    ] {
        assert_eq!(endpoint_of_url(url), endpoint, "{url}");
    }
}

#[test]
fn an_endpoint_that_cannot_be_used_is_refused_and_not_repeated() {
    let config = |url: &str| SdkConfig::builder().endpoint_url(url).build();
    for url in [
        "http://planted:secret@localhost:9000",
        "https://planted@s3.example.com",
        "http://planted:secret@local host:9000",
        "http://planted:secret@localhost:port",
        "planted:secret",
        "ftp://planted/secret",
        "",
    ] {
        let error = check_endpoints(&config(url)).unwrap_err();
        let said = format!("{error:?}");
        assert!(!said.contains("planted") && !said.contains("secret"), "{said}");
        assert!(error.help[0].contains("AWS_ENDPOINT_URL"));
    }
    for url in ["http://localhost:9000", "https://s3.example.com/base", "http://[::1]:9000/"] {
        assert!(check_endpoints(&config(url)).is_ok(), "{url}");
    }
    assert!(check_endpoints(&SdkConfig::builder().build()).is_ok());
}

#[test]
fn a_profile_of_the_file_stands_alone() {
    let client = https_client(4, ProxyConfig::disabled);
    let chain = |profile| standard_chain(profile, "us-east-1", &client).into_iter().map(|(source, _)| source);
    assert_eq!(chain(Some("x")).collect::<Vec<_>>(), [Source::Profile]);
    assert_eq!(
        chain(None).collect::<Vec<_>>(),
        [
            Source::Environment,
            Source::Profile,
            Source::WebIdentity,
            Source::Container,
            Source::InstanceMetadata
        ]
    );
}
