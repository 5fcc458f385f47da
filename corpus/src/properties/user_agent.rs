//! Reading the `User-Agent` field.

use sessionup_core::{Agent, DeviceKind};

/// Most bytes that a name of a system or a browser may have.
const MAX_NAME_BYTES: usize = 64;

/// Makes short printable names of any bytes, the same ones each time, and of the first 512 alone.
pub fn user_agent(input: &[u8]) {
    let agent = Agent::parse(input);
    assert_eq!(agent, Agent::parse(input), "twice");
    let cut = &input[..input.len().min(Agent::MAX_HEADER_BYTES)];
    assert_eq!(agent, Agent::parse(cut), "what lies beyond the bound");

    for name in [&agent.os, &agent.browser] {
        assert!(name.len() <= MAX_NAME_BYTES, "{name:?}");
        assert!(!name.chars().any(char::is_control), "{name:?}");
    }
    let kind = agent.kind;
    assert!(kind == DeviceKind::Unknown || DeviceKind::from_name(kind.as_str()) == Some(kind));
    serde_json::to_string(&agent).expect("JSON");
}
