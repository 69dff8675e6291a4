//! The audit log as a file for a spreadsheet.

use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use otpd_proto::admin::Event;

use super::audit;
use super::audit::Asked;
use crate::admin::Admin;
use crate::app::App;
use crate::daemon::Trouble;
use crate::pages::show;

/// GET /admin/audit.csv: the newest so many events.
pub(crate) async fn get(
    State(app): State<App>,
    admin: Admin,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let mut file = String::from(HEAD);
    let mut before = None;
    for _ in 0..CALLS {
        let found = match asked.read(&app, &admin.caller, PAGE, before).await {
            Ok(found) => found,
            Err(trouble) if trouble.is("code_needed") => {
                return show(&audit::prove(admin.frame(&app), &asked, None));
            }
            Err(trouble) => return Err(trouble),
        };
        found.events.iter().rev().for_each(|event| file.push_str(&line(event)));
        before = found.older;
        if before.is_none() {
            break;
        }
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"audit.csv\"")),
    ];
    Ok((headers, file).into_response())
}

fn line(event: &Event) -> String {
    let at = jiff::Timestamp::from_second(event.at).unwrap_or_default().to_string();
    let number = event.id.to_string();
    let words = [&number, &at, &event.user, &event.actor, &event.event, &event.verdict, &event.reason];
    let others = [&event.service, &event.address, &event.device, &event.lane, &event.detail];
    let words = words.into_iter().map(String::as_str);
    let others = others.into_iter().map(|text| text.as_deref().unwrap_or_default());
    words.chain(others).map(cell).collect::<Vec<_>>().join(",") + "\r\n"
}

/// RFC 4180. A spreadsheet would run a text that begins like a formula: it gets an apostrophe (CWE-1236).
fn cell(text: &str) -> String {
    let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    format!("\"{}{}\"", if runs { "'" } else { "" }, text.replace('"', "\"\""))
}

const HEAD: &str = "number,time,user,actor,event,verdict,reason,service,address,device,lane,detail\r\n";
const PAGE: u32 = 200;
/// Ten thousand events at most.
const CALLS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        assert_eq!(cell("phone"), "\"phone\"");
        assert_eq!(cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert!(cell(formula).starts_with("\"'"), "{formula}");
        }
    }
}
