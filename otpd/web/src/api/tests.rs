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
use crate::daemon::Trouble;
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

/// What a route may answer with, by what it does.
fn statuses(row: &Row) -> BTreeSet<&'static str> {
    let mut all: Vec<&str> = vec!["200", "413", "421"];
    match (row.path, row.method) {
        ("/openapi.json", _) => {}
        ("/session", GET) => all.extend(["409", "503"]),
        ("/session", DELETE) => all.extend(["403", "503"]),
        ("/session/password", _) => all.extend(["400", "401", "403", "409", "415", "429", "503"]),
        (path, _) if path.starts_with("/session") => {
            all.extend(["400", "401", "403", "415", "429", "503"]);
        }
        (path, method) => {
            all.extend(["400", "401", "409", "429", "503"]);
            if method != GET || path.starts_with("/admin") {
                all.extend(["403", "404", "422"]);
            }
            if method != GET {
                all.extend(["415", "423"]);
            }
        }
    }
    all.into_iter().collect()
}

#[test]
fn every_status_of_a_problem_has_a_description() {
    let document = document();
    let trouble = |reason: &str| Trouble::Refused { reason: reason.into(), say: String::new(), until: None };
    let mut troubles = vec![Trouble::Away { why: String::new() }, Trouble::Busy, Trouble::NotFound];
    troubles.extend([Trouble::Forbidden, Trouble::Foreign, Trouble::UnknownHost, Trouble::TooMuch]);
    troubles
        .extend(["signed_out", "code_needed", "no_such_user", "bad_name", "locked", "optional"].map(trouble));
    let mut known: BTreeSet<String> = BTreeSet::from(["400".into(), "415".into()]);
    known.extend(troubles.iter().map(|it| Problem::of(it, Language::English).status().as_str().to_owned()));
    let responses = document["components"]["responses"].as_object().unwrap();
    let operations = document["paths"].as_object().unwrap().values().flat_map(|it| it.as_object().unwrap());
    let named: BTreeSet<String> = operations
        .flat_map(|(_, operation)| operation["responses"].as_object().unwrap().keys().cloned())
        .filter(|status| status != "200")
        .collect();
    assert_eq!(named, known);
    assert_eq!(responses.len(), known.len());
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
            let named: BTreeSet<&str> =
                operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(named, statuses(row), "{method} {path}");
            for response in operation["responses"].as_object().unwrap().iter().filter(|(it, _)| *it != "200")
            {
                let problem = resolved(&document, response.1);
                let schema = &problem["content"]["application/problem+json"]["schema"];
                assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{method} {path}: {response:?}");
            }
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
    let user = || json!({ "user": "x" });
    body::<prove::Proof>("AdminCode", json!({}));
    body::<account::ProofParameters>("AdminProof", user());
    body::<admin::ResetParameters>("AdminProof", user());
    body::<account::EndSignInsParameters>("AdminEndSignIns", user());
    body::<admin::MailTestParameters>("MailTest", json!({}));
    body::<admin::RequireGroupParameters>("RequireGroup", json!({ "group": "x" }));
    body::<admin::ReleaseGroupParameters>("AdminProof", json!({ "group": "x" }));
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
    reply::<admin::Account>("AccountSummary");
    reply::<admin::Accounts>("Accounts");
    reply::<admin::EnrolCode>("EnrolCode");
    reply::<admin::WasReset>("WasReset");
    reply::<admin::Concerned>("Concerned");
    reply::<admin::GroupRequired>("GroupRequired");
    reply::<admin::GroupReleased>("GroupReleased");
    reply::<admin::RequiredGroup>("RequiredGroup");
    reply::<admin::PolicyReport>("PolicyReport");
    reply::<admin::Event>("Event");
    reply::<admin::Audit>("Audit");
    reply::<admin::Check>("Check");
    reply::<admin::Doctor>("Doctor");
    reply::<admin::MailTry>("MailTry");
    reply::<admin::MailGivenUp>("MailGivenUp");
    reply::<admin::MailStatus>("MailStatus");
    reply::<admin::MailTested>("MailTested");
    reply::<session::Text>("Text");
    reply::<sign_in::Session>("Session");
    reply::<sign_in::Step>("Ask");
    reply::<sign_in::Step>("Done");
}

/// A query names what the parameters of its method have, but for codes and what is in the path.
#[track_caller]
fn query<T: Serialize + Default>(path: &str, elsewhere: &[&str]) {
    let document = document();
    let given = document["paths"][path]["get"]["parameters"].as_array().unwrap();
    let named =
        given.iter().filter(|it| it["in"] == "query").map(|it| it["name"].as_str().unwrap().to_owned());
    let fields = serde_json::to_value(T::default()).unwrap();
    let fields = fields.as_object().unwrap().keys().filter(|name| !elsewhere.contains(&name.as_str()));
    assert_eq!(named.collect::<BTreeSet<_>>(), fields.cloned().collect(), "{path}");
}

#[test]
fn every_query_is_that_of_its_method() {
    query::<account::DevicesParameters>("/devices", &["user"]);
    query::<account::DevicesParameters>("/admin/accounts/{id}/devices", &["user"]);
    query::<admin::AccountsParameters>("/admin/accounts", &["code"]);
    query::<admin::PolicyReportParameters>("/admin/policy", &[]);
    query::<admin::AuditParameters>("/admin/audit", &["code"]);
    query::<admin::MailStatusParameters>("/admin/mail", &[]);
}

#[test]
fn a_problem_has_the_fields_of_its_schema() {
    let text = session::Text { style: session::Style::Error, text: "x".into() };
    let locked = Trouble::Refused { reason: "locked".into(), say: "x".into(), until: Some(1) };
    let problem = Problem::of(&locked, Language::English).with_texts(vec![text]);
    let problem = serde_json::to_value(problem).unwrap();
    let document = document();
    let schema = &document["components"]["schemas"]["Problem"];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&problem), keys(&schema["properties"]));
    let least = serde_json::to_value(Problem::new(StatusCode::BAD_REQUEST, "x", "x")).unwrap();
    assert_eq!(keys(&least), keys(&sample(&document, schema, false)));
}
