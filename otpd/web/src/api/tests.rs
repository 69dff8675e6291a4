//! The document is the router and the types.

use std::collections::BTreeSet;

use axum::http::Method;
use otpd_proto::session::AnswerParameters;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::*;
use crate::texts::Language;

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// What a reference leads to.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(to) => document.pointer(to.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("no {to}")),
        None => schema,
    }
}

/// Something that a schema allows, with all or only the required fields of its own.
fn sample(document: &Value, schema: &Value, all: bool) -> Value {
    let schema = resolved(document, schema);
    if let Some(one) = schema.get("const").or_else(|| schema.pointer("/enum/0")) {
        return one.clone();
    }
    if let Some(first) = schema.pointer("/oneOf/0") {
        return sample(document, first, true);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind.unwrap_or_else(|| panic!("no type: {schema}")) {
        "string" => json!("x"),
        "integer" => json!(7),
        "boolean" => json!(true),
        "array" => json!([sample(document, &schema["items"], true)]),
        "object" => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let fields = schema["properties"].as_object().unwrap().iter();
            let fields =
                fields.filter(|(name, _)| all || required.iter().any(|known| known == name.as_str()));
            fields.map(|(name, field)| (name.clone(), sample(document, field, true))).collect()
        }
        other => panic!("{other}"),
    }
}

/// A reply of a type is what its schema says, field by field.
#[track_caller]
fn reply<T: Serialize + DeserializeOwned>(name: &str) {
    let document = document();
    let schema = &document["components"]["schemas"][name];
    let all = sample(&document, schema, true);
    let read: T = serde_json::from_value(all.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(serde_json::to_value(read).unwrap(), all, "{name}");
    let names: BTreeSet<&str> =
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(
        required.iter().filter_map(Value::as_str).collect::<BTreeSet<_>>(),
        names,
        "{name}: all are there"
    );
}

/// A body is the parameters, without the user and what is in the path; what is not required may be left out.
#[track_caller]
fn body<T: Serialize + DeserializeOwned>(name: &str, elsewhere: Value) {
    let document = document();
    let schema = &document["components"]["schemas"][name];
    assert_eq!(schema["additionalProperties"], false, "{name}");
    let elsewhere: Map<String, Value> = serde_json::from_value(elsewhere).unwrap();
    for all in [true, false] {
        let mut given = sample(&document, schema, all);
        given.as_object_mut().unwrap().extend(elsewhere.clone());
        let read: T = serde_json::from_value(given.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut read = serde_json::to_value(read).unwrap();
        if !all {
            read.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            given.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
        assert_eq!(read, given, "{name}");
    }
}

#[test]
fn every_route_is_in_the_document_and_nothing_else() {
    let document = document();
    assert_eq!(document["servers"][0]["url"], PREFIX);
    let mut rows: Vec<&Row> = ROWS.iter().collect();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let filter = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let filter = MethodFilter::try_from(filter).unwrap();
            let at = rows.iter().position(|row| row.method == filter && row.path == path);
            let row = rows.swap_remove(at.unwrap_or_else(|| panic!("{method} {path} is not routed")));
            assert_eq!(operation["x-varlink"].as_str().unwrap_or_default(), row.calls, "{method} {path}");
            let given = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
            let token = given.iter().any(|it| resolved(&document, it)["name"] == "X-OTPD-Token");
            assert_eq!(token, filter != GET, "{method} {path}");
            assert_eq!(given.iter().any(|it| it["in"] == "path"), path.contains("{id}"), "{method} {path}");
            for schema in [
                &operation["requestBody"]["content"]["application/json"]["schema"],
                &operation["responses"]["200"]["content"]["application/json"]["schema"],
            ] {
                resolved(&document, schema);
            }
        }
    }
    let left: Vec<&str> = rows.iter().map(|row| row.path).collect();
    assert_eq!(left, [] as [&str; 0], "routed, and not in the document");
}

#[test]
fn every_schema_is_its_type() {
    let user = || json!({ "user": null });
    let device = || json!({ "user": null, "device": "1" });
    body::<account::BeginParameters>("Begin", user());
    body::<account::ConfirmParameters>("Confirm", device());
    body::<account::ResyncParameters>("Resync", device());
    body::<account::RenameParameters>("Rename", device());
    body::<account::UnbindParameters>("Proof", device());
    body::<account::ProofParameters>("Proof", user());
    body::<account::RemoveEmailParameters>("Proof", json!({ "user": null, "email": "1" }));
    body::<account::EndSignInsParameters>("Proof", json!({ "user": null, "id": 1 }));
    body::<account::EndSignInsParameters>("EndSignIns", user());
    body::<account::AddEmailParameters>("AddEmail", user());
    body::<account::ConfirmEmailParameters>("ConfirmEmail", user());
    body::<AnswerParameters>("Answer", json!({}));
    body::<sign_in::Open>("Open", json!({}));
    body::<sign_in::Password>("Password", json!({}));
    reply::<account::Status>("Status");
    reply::<account::Requirement>("Requirement");
    reply::<account::Lane>("Lane");
    reply::<account::Device>("Device");
    reply::<account::Devices>("Devices");
    reply::<account::Begun>("Begun");
    reply::<account::Confirmed>("Confirmed");
    reply::<account::Resynced>("Resynced");
    reply::<account::Renamed>("Renamed");
    reply::<account::Unbound>("Unbound");
    reply::<account::RecoveryCodes>("RecoveryCodes");
    reply::<account::Email>("Email");
    reply::<account::Emails>("Emails");
    reply::<account::EmailAdded>("EmailAdded");
    reply::<account::EmailConfirmed>("EmailConfirmed");
    reply::<account::EmailRemoved>("EmailRemoved");
    reply::<account::SignIn>("SignIn");
    reply::<account::SignIns>("SignIns");
    reply::<account::SignInsEnded>("SignInsEnded");
    reply::<account::TurnedOff>("TurnedOff");
    reply::<account::Unlocked>("Unlocked");
    reply::<web::Holder>("Who");
    reply::<session::Text>("Text");
    reply::<sign_in::Session>("Session");
    reply::<sign_in::Step>("Ask");
    reply::<sign_in::Step>("Done");
}

#[test]
fn a_problem_has_the_fields_of_its_schema() {
    let text = session::Text { style: session::Style::Error, text: "x".into() };
    let locked = crate::daemon::Trouble::Refused { reason: "locked".into(), say: "x".into(), until: Some(1) };
    let problem = Problem::of(&locked, Language::English).with_texts(vec![text]);
    let problem = serde_json::to_value(problem).unwrap();
    let document = document();
    let schema = &document["components"]["schemas"]["Problem"];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&problem), keys(&schema["properties"]));
    let least = serde_json::to_value(Problem::new(StatusCode::BAD_REQUEST, "x", "x")).unwrap();
    assert_eq!(keys(&least), keys(&sample(&document, schema, false)));
}
