//! Who comes through, and what the application sees.

use crate::front::Front;
use crate::front::Proxy;
use crate::front::next;

/// What an application was sent under a name.
fn sent(body: &str, name: &str) -> Vec<String> {
    let lines = body.lines().filter_map(|line| line.split_once(": "));
    let same = |known: &str| known.replace('_', "-").eq_ignore_ascii_case(name);
    lines.filter(|(known, _)| same(known)).map(|(_, value)| value.to_owned()).collect()
}

fn the_application_knows_who_comes_and_learns_no_ticket(proxy: Proxy) {
    let front = Front::new(proxy);
    let mut person = front.visitor();
    let seen = person.wiki.page.body.clone();
    assert!(seen.starts_with("GET /page?x=1&y=%20z HTTP/1."), "{seen}");
    assert_eq!(sent(&seen, "remote-user"), ["alice"], "{seen}");
    assert_eq!(sent(&seen, "remote-groups"), ["alice"], "{seen}");
    assert!(!seen.contains("__Host-otpd"), "{seen}");
    // Its own cookies arrive, and what a browser says of itself under these names does not.
    person.wiki.cookies.insert("a".into(), "1".into());
    person.wiki.cookies.insert("zz".into(), "2".into());
    for name in ["Remote-User", "remote-groups", "Remote_User", "REMOTE_GROUPS", "Remote-Email"] {
        person.wiki.headers.push((name.into(), "root".into()));
    }
    person.wiki.request("GET", "/", "");
    let seen = &person.wiki.page.body;
    assert_eq!(
        (sent(seen, "remote-user"), sent(seen, "remote-groups")),
        (vec!["alice".into()], vec!["alice".into()])
    );
    let cookies = sent(seen, "cookie").concat();
    assert!(cookies.contains("a=1") && cookies.contains("zz=2") && !cookies.contains("__Host"), "{cookies}");
}

fn whoever_signs_out_is_out_everywhere_at_once(proxy: Proxy) {
    let front = Front::new(proxy);
    let mut person = front.visitor();
    person.page.go("/account").says("wiki.localhost");
    person.page.submit("/sign-out", &[]);
    person.turned_away("/page");
    // And comes in again by signing in.
    person.sign_in_for("/page");
}

fn whoever_is_signed_in_already_goes_on_without_a_form(proxy: Proxy) {
    let front = Front::new(proxy);
    let mut person = front.person();
    person.page.sign_in("alice", otpd_tests::PASSWORD, None);
    let way = person.turned_away("/page");
    // Seen from a link of another site, this browser sends no cookies of the page. It must not get new ones either.
    let cookies = std::mem::take(&mut person.page.cookies);
    person.page.go(&way);
    assert!(person.page.cookies.is_empty(), "{:?}", person.page.cookies);
    person.page.cookies = cookies;
    let again = next(&person.page);
    person.page.go(&again);
    assert!(next(&person.page).contains("/.otpd/visit?word="));
}

fn on_the_host_of_the_page_nobody_goes_elsewhere(proxy: Proxy) {
    let front = Front::new(proxy);
    let mut person = front.person();
    person.page.sign_in("alice", otpd_tests::PASSWORD, None);
    // Being signed in at the page is not enough: that ticket is for the page alone.
    assert!(!person.page.cookies.contains_key("__Host-otpd-visit"));
    person.page.go("/notes/1?a=b");
    assert_eq!(next(&person.page), "/notes/1?a=b");
    person.page.go("/notes/1?a=b");
    let seen = &person.page.page.body;
    assert_eq!(sent(seen, "remote-user"), ["alice"], "{seen}");
    assert!(!seen.contains("__Host-otpd"), "{seen}");
}

fn on_the_host_of_the_page_nobody_goes_where_they_did_not_ask_to(proxy: Proxy) {
    let front = Front::new(proxy);
    let mut person = front.person();
    person.page.sign_in("alice", otpd_tests::PASSWORD, None);
    let way = format!("host=127.0.0.1%3A{}&to=%2Fnotes%2Fdelete&mark=", front.port);
    for begun in [false, true] {
        if begun {
            person.page.request("GET", "/notes/1", "");
            assert!(person.page.cookies.contains_key("__Host-otpd-way"));
        }
        for again in ["", "again=1&"] {
            person.page.go(&format!("/visit?{again}{way}"));
            assert_eq!(person.page.page.path, "/account");
            assert!(!person.page.cookies.contains_key("__Host-otpd-visit"));
        }
    }
}

macro_rules! each {
    ($($test:ident),*) => {
        mod nginx { $(#[test] fn $test() { super::$test(super::Proxy::Nginx) })* }
        mod caddy { $(#[test] fn $test() { super::$test(super::Proxy::Caddy) })* }
    };
}

each!(
    the_application_knows_who_comes_and_learns_no_ticket,
    whoever_signs_out_is_out_everywhere_at_once,
    whoever_is_signed_in_already_goes_on_without_a_form,
    on_the_host_of_the_page_nobody_goes_elsewhere,
    on_the_host_of_the_page_nobody_goes_where_they_did_not_ask_to
);
