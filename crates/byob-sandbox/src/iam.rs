//! IAM: roles, users and policies of the emulator, kept in one file; `GetRole` and `SimulatePrincipalPolicy` as AWS
//! answers them. The simulation allows everything but what the faults deny.

use std::path::PathBuf;

use winterbaume_core::{MockRequest, MockService, StatefulService, default_account_id};
use winterbaume_iam::IamService;
use winterbaume_iam::views::{IamStateView, RoleView};

use crate::answer::{Answer, AwsError, Outcome};
use crate::error::SandboxError;
use crate::faults::matches_pattern;
use crate::route::{Request, Service, arn_parts, parameter, parse_query, percent_encode};
use crate::sandbox::Call;
use crate::store::{self, Stamp};
use crate::world::World;
use crate::xml::escape;

/// The role that every caller of the sandbox is in.
pub(crate) const CALLER_ROLE: &str = "byob-sandbox";

/// IAM keeps its state under this name in the emulator: it is global.
const REGION: &str = "us-east-1";

/// The emulator, its file, and the last view of it.
pub(crate) struct Iam {
    path: Option<PathBuf>,
    stamp: Option<Stamp>,
    service: IamService,
    view: Option<IamStateView>,
}

impl Iam {
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path, stamp: None, service: IamService::new(), view: None }
    }

    /// Looks whether another process has changed the file.
    async fn refresh(&mut self) -> Result<(), SandboxError> {
        if let Some(path) = &self.path {
            let stamp = Stamp::of(path)?;
            if stamp != self.stamp
                && let Some(view) = store::read_json::<IamStateView>(path)?
            {
                self.service
                    .restore(default_account_id(), REGION, view)
                    .await
                    .map_err(|error| SandboxError::Emulator(error.to_string()))?;
                self.stamp = stamp;
                self.view = None;
            }
        }
        if self.view.is_none() {
            self.view = Some(self.service.snapshot(default_account_id(), REGION).await);
        }
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), SandboxError> {
        let view = self.service.snapshot(default_account_id(), REGION).await;
        if let Some(path) = &self.path {
            store::write_json(path, &view)?;
            self.stamp = Stamp::of(path)?;
        }
        self.view = Some(view);
        Ok(())
    }

    fn role(&self, name: &str) -> Option<&RoleView> {
        self.view.as_ref()?.roles.values().find(|role| role.name == name)
    }

    /// Whether this account has the role or user; the path counts.
    pub(crate) fn has(&mut self, kind: &str, path: &str) -> Result<bool, SandboxError> {
        let Some(view) = &self.view else { return Ok(false) };
        let tail = format!(":{kind}/{path}");
        Ok(match kind {
            "role" => view.roles.values().any(|role| role.arn.ends_with(&tail)),
            _ => view.users.values().any(|user| user.arn.ends_with(&tail)),
        })
    }

    pub(crate) fn has_role_named(&mut self, name: &str) -> Result<bool, SandboxError> {
        Ok(self.role(name).is_some())
    }
}

/// Makes what a policy check needs up to date.
pub(crate) async fn refresh(world: &mut World) -> Result<(), SandboxError> {
    world.iam.refresh().await
}

/// Makes the caller's role and the seeded ones exist.
pub(crate) async fn seed(world: &mut World, roles: &[String]) -> Result<(), SandboxError> {
    world.iam.refresh().await?;
    let caller = format!("arn:aws:iam::{}:role/{CALLER_ROLE}", world.account);
    let mut view = IamStateView::default();
    for arn in std::iter::once(&caller).chain(roles) {
        let wrong = || SandboxError::Seed(arn.clone(), "role of the sandbox's account");
        let [_, _, service, _, account, resource] = arn_parts(arn).ok_or_else(wrong)?;
        let path = resource.strip_prefix("role/").ok_or_else(wrong)?;
        if service != "iam" || account != world.account {
            return Err(wrong());
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        if world.iam.role(name).is_none() {
            view.roles.insert(name.to_owned(), role_view(arn, path, name, account));
        }
    }
    if view.roles.is_empty() {
        return Ok(());
    }
    world
        .iam
        .service
        .merge(default_account_id(), REGION, view)
        .await
        .map_err(|error| SandboxError::Emulator(error.to_string()))?;
    world.iam.keep().await
}

fn role_view(arn: &str, path: &str, name: &str, account: &str) -> RoleView {
    let trust = format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":{{\"AWS\":\
         \"arn:aws:iam::{account}:root\"}},\"Action\":\"sts:AssumeRole\"}}]}}"
    );
    RoleView {
        name: name.to_owned(),
        role_id: format!("AROA{}", &uuid::Uuid::new_v4().simple().to_string().to_uppercase()[..17]),
        account_id: account.to_owned(),
        path: format!("/{}", path.strip_suffix(name).unwrap_or_default()),
        arn: arn.to_owned(),
        assume_role_policy_document: trust,
        description: String::new(),
        create_date: Some(jiff::Timestamp::now().to_string()),
        max_session_duration: 3600,
        tags: std::collections::HashMap::new(),
        attached_policies: Vec::new(),
        inline_policies: Vec::new(),
        permissions_boundary: None,
    }
}

/// Names the call.
pub(crate) fn identify(request: &Request) -> Call {
    let parameters = parse_query(&String::from_utf8_lossy(&request.body));
    let operation = parameter(&parameters, "Action").unwrap_or("Unknown").to_owned();
    let reads = ["Get", "List", "Simulate", "Generate", "Unknown"].iter().any(|p| operation.starts_with(p));
    let resource = ["RoleName", "UserName", "PolicyArn", "PolicyName", "PolicySourceArn"]
        .iter()
        .find_map(|name| parameter(&parameters, name));
    Call {
        service: Service::Iam,
        action: format!("iam:{operation}"),
        resource: resource.map(str::to_owned),
        region: request.region(),
        mutating: !reads,
        operation,
    }
}

/// Answers the call.
pub(crate) async fn perform(world: &mut World, call: &Call, request: &Request) -> Outcome {
    world.iam.refresh().await?;
    let parameters = parse_query(&String::from_utf8_lossy(&request.body));
    match call.operation.as_str() {
        "GetRole" => get_role(world, parameter(&parameters, "RoleName").unwrap_or_default()),
        "SimulatePrincipalPolicy" => simulate(world, &parameters),
        operation => {
            check_documents(&parameters)?;
            let gone = match operation {
                "DeleteRole" => parameter(&parameters, "RoleName").and_then(|name| {
                    world.iam.role(name).map(|role| (role.arn.clone(), role.role_id.clone()))
                }),
                "DeleteUser" => parameter(&parameters, "UserName").and_then(|name| {
                    let user = world.iam.view.as_ref()?.users.get(name)?;
                    Some((user.arn.clone(), user.user_id.clone()))
                }),
                _ => None,
            };
            let answer = ask_emulator(&world.iam.service, &world.account, request).await;
            if call.mutating && answer.is_success() {
                world.iam.keep().await?;
                if let Some((arn, id)) = gone {
                    orphan(world, &arn.replace(default_account_id(), &world.account), &id)?;
                }
            }
            Ok(answer)
        }
    }
}

/// Policy documents in a request must be such.
fn check_documents(parameters: &[(String, String)]) -> Result<(), AwsError> {
    for name in ["PolicyDocument", "AssumeRolePolicyDocument"] {
        if let Some(text) = parameter(parameters, name)
            && let Err(error) = byob_policy::Document::parse(text)
        {
            return Err(AwsError::new(400, "MalformedPolicyDocument", error.to_string()));
        }
    }
    Ok(())
}

/// A principal is gone: policies that name it show its unique id from here on, which grants nothing any more.
fn orphan(world: &mut World, arn: &str, id: &str) -> Result<(), SandboxError> {
    let (named, orphaned) = (format!("\"{arn}\""), format!("\"{id}\""));
    for (name, bucket) in world.buckets.all()? {
        let policy = bucket.documents.get(&crate::s3::Sub::Policy);
        if let Some(policy) = policy.filter(|policy| policy.body.contains(&named)) {
            let body = policy.body.replace(&named, &orphaned);
            let mut changed = crate::s3::Bucket::clone(&bucket);
            changed.documents.insert(crate::s3::Sub::Policy, body.into());
            world.buckets.put(&name, changed)?;
        }
    }
    for (name, key) in world.keys.all()? {
        if key.policy.contains(&named) {
            let policy = key.policy.replace(&named, &orphaned);
            world.keys.put(&name, crate::kms::Key { policy, ..crate::kms::Key::clone(&key) })?;
        }
    }
    Ok(())
}

/// The emulator's account is fixed for the process: where the world's is another, it is put into the texts.
pub(crate) async fn ask_emulator(service: &impl MockService, account: &str, request: &Request) -> Answer {
    let theirs = default_account_id();
    let body = String::from_utf8_lossy(&request.body).replace(account, theirs);
    let response = service
        .handle(MockRequest {
            method: request.method.clone(),
            uri: format!("https://{}.amazonaws.com/", service.service_name()),
            headers: request.headers.clone(),
            body: body.into(),
        })
        .await;
    let mut answer = Answer::from_emulator(response);
    if account != theirs {
        answer.body = answer.text().replace(theirs, account).into();
    }
    answer
}

fn get_role(world: &World, name: &str) -> Outcome {
    // Without a name AWS would describe the caller's own role only for users; the parameter is required for roles.
    let Some(role) = world.iam.role(name) else {
        let message = format!("The role with name {name} cannot be found.");
        return Err(AwsError::new(404, "NoSuchEntity", message).into());
    };
    let arn = role.arn.replace(default_account_id(), &world.account);
    let created = role.create_date.as_deref().and_then(|date| date.parse::<jiff::Timestamp>().ok());
    let created = created.unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let tags: String = std::collections::BTreeMap::from_iter(&role.tags)
        .into_iter()
        .map(|(key, value)| {
            format!("<member><Key>{}</Key><Value>{}</Value></member>", escape(key), escape(value))
        })
        .collect();
    Ok(answer(
        "GetRole",
        &format!(
            "<Role><Path>{}</Path><RoleName>{}</RoleName><RoleId>{}</RoleId><Arn>{}</Arn>\
             <CreateDate>{created}</CreateDate><AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument>\
             <Description>{}</Description><MaxSessionDuration>{}</MaxSessionDuration><Tags>{tags}</Tags>\
             <RoleLastUsed/></Role>",
            escape(&role.path),
            escape(&role.name),
            role.role_id,
            escape(&arn),
            percent_encode(&role.assume_role_policy_document).replace('/', "%2F"),
            escape(&role.description),
            role.max_session_duration,
        ),
    ))
}

fn simulate(world: &World, parameters: &[(String, String)]) -> Outcome {
    let source = parameter(parameters, "PolicySourceArn").unwrap_or_default();
    check_source(world, source)?;
    let list = |name: &str| -> Vec<&str> {
        let prefix = format!("{name}.member.");
        parameters
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix))
            .map(|(_, value)| value.as_str())
            .collect()
    };
    let mut resources = list("ResourceArns");
    if resources.is_empty() {
        resources.push("*");
    }
    let mut results = String::new();
    for action in list("ActionNames") {
        for resource in &resources {
            let denied = world
                .faults
                .deny
                .iter()
                .any(|pattern| matches_pattern(&pattern.to_lowercase(), &action.to_lowercase()));
            results.push_str(&format!(
                "<member><EvalActionName>{}</EvalActionName><EvalResourceName>{}</EvalResourceName>\
                 <EvalDecision>{}</EvalDecision><MatchedStatements/><MissingContextValues/></member>",
                escape(action),
                escape(resource),
                if denied { "implicitDeny" } else { "allowed" }
            ));
        }
    }
    Ok(answer(
        "SimulatePrincipalPolicy",
        &format!("<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"),
    ))
}

/// An identity of this account that exists; a session is none.
fn check_source(world: &World, source: &str) -> Result<(), AwsError> {
    let Some([_, _, "iam", _, account, resource]) = arn_parts(source) else {
        return Err(AwsError::new(400, "InvalidInput", format!("Invalid Entity Arn: {source}")));
    };
    let name = resource.rsplit('/').next().unwrap_or_default();
    let exists = match resource.split('/').next() {
        Some("role") => world.iam.role(name).is_some(),
        Some("user") => {
            world.iam.view.as_ref().is_some_and(|view| view.users.values().any(|user| user.name == name))
        }
        _ => false,
    };
    if account == world.account && exists {
        Ok(())
    } else {
        Err(AwsError::new(404, "NoSuchEntity", format!("The entity {source} cannot be found.")))
    }
}

fn answer(operation: &str, inside: &str) -> Answer {
    Answer::xml(&format!(
        "<{operation}Response xmlns=\"{}\"><{operation}Result>{inside}</{operation}Result><ResponseMetadata>\
         <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata></{operation}Response>",
        Service::Iam.namespace()
    ))
    .with("content-type", "text/xml")
}
