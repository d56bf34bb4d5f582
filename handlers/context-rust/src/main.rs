//! Tells what AWS's client for Rust makes known of an invocation, and does what an event asks for:
//! {"do": "describe"}, {"do": "log", "text": ...}, {"do": "fail", "text": ...}, {"do": "stream",
//! "parts": [...]}, which sends the parts one by one and with "fail_with" fails after the last, or {"do":
//! "meet", "number": ..., "of": ...}, which ends when invocations with the numbers from 0 to below "of"
//! are under way in its environment. Of any other event it answers the same. CONTEXT_FAILS_IN_INIT makes
//! the start fail.
use lambda_runtime::streaming::{channel, Body, Sender};
use lambda_runtime::{
    run_concurrent, service_fn, Context, Diagnostic, Error, FunctionResponse, LambdaEvent,
};
use serde_json::{json, Value};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What an event asked for.
#[derive(Debug)]
struct WishError(String);

impl From<WishError> for Diagnostic {
    fn from(error: WishError) -> Self {
        Diagnostic {
            error_type: "WishError".into(),
            error_message: error.0,
        }
    }
}

async fn handler(event: LambdaEvent<Value>) -> Result<FunctionResponse<Value, Body>, WishError> {
    let LambdaEvent { payload, context } = event;
    let text = payload["text"].as_str().unwrap_or_default();
    match payload["do"].as_str() {
        Some("describe") => return Ok(FunctionResponse::BufferedResponse(describe(&context))),
        Some("log") => {
            println!("printed: {text}");
            eprintln!("logged: {text}");
        }
        Some("fail") => return Err(WishError(text.to_owned())),
        Some("stream") => {
            let (sender, body) = channel();
            tokio::spawn(send(sender, payload));
            return Ok(FunctionResponse::StreamingResponse(body.into()));
        }
        Some("meet") => meet(&payload).await,
        _ => {}
    }
    Ok(FunctionResponse::BufferedResponse(payload))
}

async fn meet(wish: &Value) {
    let file = |number: u64| format!("/tmp/met-{number}");
    let number = |name: &str| wish[name].as_u64().unwrap_or_default();
    std::fs::write(file(number("number")), "").expect("a file in /tmp");
    while !(0..number("of")).all(|other| Path::new(&file(other)).exists()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn describe(context: &Context) -> Value {
    let deadline = UNIX_EPOCH + Duration::from_millis(context.deadline);
    let remaining = deadline
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    let config = &context.env_config;
    json!({
        "request_id": context.request_id,
        "function_name": config.function_name,
        "function_version": config.version,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_mb": config.memory,
        "log_group": config.log_group,
        "log_stream": config.log_stream,
        "remaining_ms": remaining.as_millis() as u64,
        "tenant_id": context.tenant_id,
        "custom": context.client_context.as_ref().map(|client| &client.custom),
        "trace_id": context.xray_trace_id,
    })
}

async fn send(mut sender: Sender, wish: Value) {
    for part in wish["parts"].as_array().into_iter().flatten() {
        let part = part.as_str().unwrap_or_default().to_owned();
        if sender.send_data(part.into()).await.is_err() {
            return; // nobody reads any more
        }
    }
    if wish["fail_with"].is_string() {
        sender.abort();
    }
}

fn main() -> Result<(), Error> {
    if std::env::var_os("CONTEXT_FAILS_IN_INIT").is_some() {
        return Err("asked to fail before the first event".into());
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run_concurrent(service_fn(handler)))
}
