//! What `byob policy check` prints.

use byob_plan::finding::Rule;
use byob_plan::rules::{Checked, PolicyFinding};

use crate::{Style, policy_checked};

#[test]
fn findings_of_a_file_look_as_in_a_plan_and_are_counted() {
    let finding = |rule: Rule, message: &str, statement| PolicyFinding {
        help: "mend it".into(),
        message: message.into(),
        rule,
        severity: rule.severity(),
        statement,
    };
    let checked = Checked {
        findings: vec![
            finding(Rule::Public, "the policy is public", Some(1)),
            finding(Rule::ForeignAccount, "somebody\u{1b}[2J else", Some(2)),
            finding(Rule::UnknownAction, "an action", Some(2)),
        ],
        notes: vec!["not judged".into()],
        public: true,
    };
    insta::assert_snapshot!(policy_checked("p\u{1b}.json", &checked, &Style::default()), @r"
    error BYOB020: the policy is public
      help: mend it
    warning BYOB029: somebody\u{1b}[2J else
      help: mend it
    warning BYOB056: an action
      help: mend it

    note: not judged

    p\u{1b}.json: 1 error, 2 warnings; public
    ");
    let nothing = Checked { findings: Vec::new(), notes: Vec::new(), public: false };
    assert_eq!(policy_checked("p.json", &nothing, &Style::default()), "p.json: nothing found; not public\n");
}
