//! STS: who calls. Everybody is the same role in a session; what else there is, the emulator answers.

use winterbaume_sts::StsService;

use crate::answer::{Answer, Outcome};
use crate::iam::ask_emulator;
use crate::route::{Request, Service, parameter, parse_query};
use crate::sandbox::Call;
use crate::world::World;

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
    if call.operation != "GetCallerIdentity" {
        return Ok(ask_emulator(&StsService::new(), &world.account, request).await);
    }
    Ok(Answer::xml(&format!(
        "<GetCallerIdentityResponse xmlns=\"{}\"><GetCallerIdentityResult><Arn>{}</Arn>\
         <UserId>AROASANDBOXSANDBOX000:sandbox</UserId><Account>{}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>",
        Service::Sts.namespace(),
        world.caller_arn(&call.region),
        world.account
    ))
    .with("content-type", "text/xml"))
}
