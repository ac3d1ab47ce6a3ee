//! STS: who calls, and roles that are assumed. Everybody is the same role in a session, but for those who assumed another;
//! what else there is, the emulator answers.

use winterbaume_sts::StsService;

use crate::answer::{Answer, AwsError, Outcome};
use crate::iam::{self, ask_emulator};
use crate::route::{Request, Service, arn_parts, parameter, parse_query};
use crate::sandbox::Call;
use crate::world::World;
use crate::xml::{Element, escape};

/// Names the call.
pub(crate) fn identify(request: &Request) -> Call {
    let parameters = parse_query(&String::from_utf8_lossy(&request.body));
    let operation = parameter(&parameters, "Action").unwrap_or("Unknown").to_owned();
    Call {
        service: Service::Sts,
        action: format!("sts:{operation}"),
        resource: parameter(&parameters, "RoleArn").map(str::to_owned),
        region: request.region(),
        mutating: false,
        operation,
    }
}

/// Answers the call.
pub(crate) async fn perform(world: &mut World, call: &Call, request: &Request) -> Outcome {
    match call.operation.as_str() {
        "GetCallerIdentity" => Ok(caller_identity(world, call, request)),
        "AssumeRole" => assume_role(world, call, request).await,
        _ => Ok(ask_emulator(&StsService::new(), &world.account, request).await),
    }
}

fn caller_identity(world: &World, call: &Call, request: &Request) -> Answer {
    let session = world.session(request).map(str::to_owned);
    let arn = session.unwrap_or_else(|| world.caller_arn(&call.region));
    let account =
        arn_parts(&arn).map_or(world.account.as_str(), |[_, _, _, _, account, _]| account).to_owned();
    Answer::xml(&format!(
        "<GetCallerIdentityResponse xmlns=\"{}\"><GetCallerIdentityResult><Arn>{}</Arn>\
         <UserId>AROASANDBOXSANDBOX000:sandbox</UserId><Account>{account}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>",
        Service::Sts.namespace(),
        escape(&arn),
    ))
    .with("content-type", "text/xml")
}

/// A role of this account must exist; those of other accounts do, and let everybody in.
async fn assume_role(world: &mut World, call: &Call, request: &Request) -> Outcome {
    let arn = call.resource.clone().unwrap_or_default();
    iam::refresh(world).await?;
    let role = match arn_parts(&arn) {
        Some([_, partition, "iam", _, account, resource]) => resource
            .strip_prefix("role/")
            .map(|path| (partition.to_owned(), account.to_owned(), path.to_owned())),
        _ => None,
    };
    let message = format!(
        "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        world.caller_arn(&call.region)
    );
    let denied = AwsError::new(403, "AccessDenied", message);
    let Some((partition, account, path)) = role else { return Err(denied.into()) };
    if account == world.account && !world.iam.has("role", &path)? {
        return Err(denied.into());
    }
    let answer = ask_emulator(&StsService::new(), &world.account, request).await;
    let parameters = parse_query(&String::from_utf8_lossy(&request.body));
    let name = parameter(&parameters, "RoleSessionName").unwrap_or_default();
    let key = Element::parse(&answer.body).and_then(|root| {
        root.child("AssumeRoleResult")?.child("Credentials")?.value("AccessKeyId").map(str::to_owned)
    });
    if let Some(key) = key {
        let role = path.rsplit('/').next().unwrap_or_default();
        world.sessions.insert(key, format!("arn:{partition}:sts::{account}:assumed-role/{role}/{name}"));
    }
    Ok(answer)
}
