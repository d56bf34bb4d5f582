//! Firehose data transformation: Apache access-log lines in, JSON lines out; through AWS's client
//! for Rust.
mod access_log;

use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::Engine;
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde::{Deserialize, Serialize};

/// Takes what other languages take: bits of the last character that mean nothing may be anything.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    record_id: String,
    data: String,
}

#[derive(Deserialize)]
struct Event {
    records: Vec<Record>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    record_id: String,
    result: &'static str,
    data: String,
}

#[derive(Serialize)]
struct Reply {
    records: Vec<Answer>,
}

async fn handler(event: LambdaEvent<Event>) -> Result<Reply, Error> {
    let records = event
        .payload
        .records
        .into_iter()
        .map(transform)
        .collect::<Result<_, _>>()?;
    Ok(Reply { records })
}

/// Firehose wants every record back, under its own id and in its place.
fn transform(record: Record) -> Result<Answer, Error> {
    let Record { record_id, data } = record;
    let line = BASE64
        .decode(&data)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let entry = line
        .as_deref()
        .and_then(|line| access_log::parse(without_end(line)));
    let (result, data) = match entry {
        None => ("ProcessingFailed", data),
        Some(entry) if entry.is_health_check() => ("Dropped", data),
        Some(entry) => {
            let mut json = serde_json::to_vec(&entry)?;
            json.push(b'\n');
            ("Ok", BASE64.encode(json))
        }
    };
    Ok(Answer {
        record_id,
        result,
        data,
    })
}

fn without_end(line: &str) -> &str {
    match line.strip_suffix('\n') {
        Some(rest) => rest.strip_suffix('\r').unwrap_or(rest),
        None => line,
    }
}

fn main() -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(service_fn(handler)))
}
