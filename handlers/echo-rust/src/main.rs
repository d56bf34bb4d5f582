//! Answers with the event it was given, through AWS's client for Rust. An event with a member
//! "fail_with" is answered by an error with that text; ECHO_FAILS_IN_INIT makes the start fail.
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::Value;

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if let Some(text) = event.payload.get("fail_with").and_then(Value::as_str) {
        return Err(text.into());
    }
    Ok(event.payload)
}

fn main() -> Result<(), Error> {
    if std::env::var_os("ECHO_FAILS_IN_INIT").is_some() {
        return Err("asked to fail before the first event".into());
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(service_fn(handler)))
}
