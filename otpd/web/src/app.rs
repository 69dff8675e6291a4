//! What all pages share, and which page answers where.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use axum::routing::get;
use axum::routing::post;
use otpd_proto::session::Text;

use crate::api;
use crate::assets;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::forward_auth;
use crate::guard::guard;
use crate::hosts::Hosts;
use crate::pages;
use crate::pages::draft::Draft;
use crate::proxies::Proxies;
use crate::shelf::Shelf;
use crate::shelf::Slots;
use crate::sign_in::HalfLogin;
use crate::sites::Sites;

/// Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    daemon: Daemon,
    hosts: Hosts,
    proxies: Proxies,
    sites: Option<Sites>,
    box_name: String,
    logins: Shelf<HalfLogin>,
    login_slots: Slots,
    drafts: Shelf<Draft>,
    greetings: Shelf<Vec<Text>>,
}

impl App {
    /// As configured. `box_name` is what this box calls itself.
    ///
    /// # Errors
    /// A proxy or a host of other software is none.
    pub fn new(config: &Config, box_name: &str) -> anyhow::Result<Self> {
        let limits = &config.limits;
        let sites = config.sites()?;
        let login = sites.as_ref().map(|sites| sites.login().name().to_owned());
        let hosts: Vec<String> = config.hosts.iter().cloned().chain(login).collect();
        Ok(Self(Arc::new(Parts {
            daemon: Daemon::new(&config.socket, &config.session_socket),
            hosts: Hosts::new(box_name, &hosts),
            proxies: config.proxies()?,
            sites,
            box_name: box_name.to_owned(),
            logins: Shelf::new(limits.logins, KEPT),
            login_slots: Slots::new(limits.logins, limits.logins_per_address),
            drafts: Shelf::new(MOST_DRAFTS, KEPT),
            greetings: Shelf::new(MOST_DRAFTS, KEPT),
        })))
    }

    /// Asks `otpd`.
    #[must_use]
    pub fn daemon(&self) -> &Daemon {
        &self.0.daemon
    }

    /// Names of this box.
    #[must_use]
    pub fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    /// Whom to believe where a browser is.
    #[must_use]
    pub fn proxies(&self) -> &Proxies {
        &self.0.proxies
    }

    /// Other software that has its visitors sign in here.
    #[must_use]
    pub fn sites(&self) -> Option<&Sites> {
        self.0.sites.as_ref()
    }

    /// What this box calls itself.
    #[must_use]
    pub fn box_name(&self) -> &str {
        &self.0.box_name
    }

    /// Logins between password and code, by the login cookie.
    #[must_use]
    pub fn logins(&self) -> &Shelf<HalfLogin> {
        &self.0.logins
    }

    /// How many logins there may be at once.
    #[must_use]
    pub fn login_slots(&self) -> &Slots {
        &self.0.login_slots
    }

    /// Keys and recovery codes that are being shown, by the form cookie.
    #[must_use]
    pub fn drafts(&self) -> &Shelf<Draft> {
        &self.0.drafts
    }

    /// What was said at the end of a login, by the form cookie.
    #[must_use]
    pub fn greetings(&self) -> &Shelf<Vec<Text>> {
        &self.0.greetings
    }

    /// Forgets what is over.
    pub fn tidy(&self, now: std::time::Instant) {
        self.0.logins.tidy(now);
        self.0.drafts.tidy(now);
        self.0.greetings.tidy(now);
    }

    /// Which page answers where.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(pages::account::home))
            .route("/account", get(pages::account::get))
            .route("/account/scan", get(pages::scan::get).post(pages::scan::post))
            .route("/account/codes", get(pages::codes::get).post(pages::codes::post))
            .route("/account/codes.txt", get(pages::codes::file))
            .route("/account/protected", get(pages::protected::get))
            .route("/account/{act}", get(pages::change::get).post(pages::change::post))
            .merge(pages::admin::router())
            .merge(api::router())
            .route("/sign-in", get(pages::sign_in::get).post(pages::sign_in::post))
            .route("/sign-in/code", get(pages::step::get).post(pages::step::post))
            .route("/sign-in/leave", post(pages::step::leave))
            .route("/sign-out", post(pages::sign_in::sign_out))
            .route("/visit", get(pages::visit::get))
            .route("/language/{word}", get(pages::language))
            .route("/assets/{name}", get(assets::get))
            .fallback(pages::not_found)
            .layer(from_fn_with_state(self.clone(), guard))
            .route("/auth", any(forward_auth::check))
            .route("/auth/redirect", any(forward_auth::check_or_lead))
            .route(forward_auth::ARRIVAL, get(forward_auth::arrive))
            .route("/healthz", get(pages::health))
            .with_state(self.clone())
    }
}

/// As long as otpd-login waits, and as long as a key waits to be proven.
const KEPT: Duration = Duration::from_secs(600);
const MOST_DRAFTS: usize = 256;
