//! A web service that decides for the user of each request: `web [STORE-URL]`, listening at `LISTEN`, or else
//! port 3000.

use std::convert::Infallible;

use anyhow::Result;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::get;
use axum::{Json, Router};
use feature_flags::client::{Freshness, Snapshot};
use feature_flags::engine::Reason;
use feature_flags::{Client, EvaluationContext};
use serde::Serialize;

#[tokio::main]
async fn main() -> Result<()> {
    let client = flags_examples::client().await?;
    let app = Router::new().route("/", get(home)).route("/health", get(health)).with_state(client.clone());
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(flags_examples::stopped()).await?;
    client.close().await;
    Ok(())
}

/// The flags at the moment of a request, and whom it is from. A handler takes it as an argument; all that it
/// asks of it agrees with each other, whatever changes meanwhile.
struct Flags {
    snapshot: Snapshot,
    context: EvaluationContext,
}

impl FromRequestParts<Client> for Flags {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, client: &Client) -> Result<Self, Infallible> {
        let header = |name: &str| request.headers.get(name)?.to_str().ok();
        let mut context = EvaluationContext::builder().attribute("path", request.uri.path());
        // In a service of yours the user comes from the session, which nobody can make up.
        if let Some(user) = header("x-user-id") {
            context = context.targeting_key(user).user_id(user);
        }
        if let Some(country) = header("x-country") {
            context = context.country(country);
        }
        if let Some(agent) = header("user-agent") {
            context = context.user_agent(agent);
        }
        Ok(Self { snapshot: client.snapshot(), context: context.build() })
    }
}

#[derive(Serialize)]
struct Home {
    greeting: String,
    new_checkout: bool,
    reason: Reason,
    variant: Option<String>,
}

async fn home(Flags { snapshot, context }: Flags) -> Json<Home> {
    let checkout = snapshot.bool_details("new-checkout", false, &context);
    Json(Home {
        greeting: snapshot.string_details("greeting", "Hello", &context).value.to_owned(),
        new_checkout: checkout.value,
        reason: checkout.reason,
        variant: checkout.variant.map(str::to_owned),
    })
}

/// Stale flags are flags: only a service that never had any is not ready.
async fn health(State(client): State<Client>) -> (StatusCode, &'static str) {
    match client.freshness() {
        Freshness::Fresh => (StatusCode::OK, "fresh\n"),
        Freshness::NeverLoaded => (StatusCode::SERVICE_UNAVAILABLE, "not loaded\n"),
        _ => (StatusCode::OK, "stale\n"),
    }
}
