//! What goes in and out, in the words of OpenAPI. Descriptions only: no value of them is ever made.
//!
//! That they are true to what is serialised is tested in `tests/endpoints/described.rs`.

#![expect(dead_code, reason = "read by the derives alone")]

use sessionup_core::Meta;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOf, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::{IntoParams, IntoResponses, ToSchema};

/// A session as a list of devices shows it.
#[derive(ToSchema)]
pub(in crate::endpoints) struct ListedSession {
    /// Whether it is the session of this request.
    current: bool,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// The absolute deadline.
    #[schema(format = DateTime)]
    expires_at: String,
    /// When a request last used it.
    #[schema(format = DateTime)]
    last_seen_at: String,
    /// Its public name: what to revoke it by. No credential.
    #[schema(
        format = "uuid",
        pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
    )]
    id: String,
    /// The address that logged in, empty if unknown.
    #[schema(schema_with = ip)]
    ip: String,
    agent: Agent,
    /// The application's own entries; absent if there are none.
    #[schema(required = false, schema_with = meta)]
    meta: (),
}

/// What logged in, as far as it said so.
#[derive(ToSchema)]
struct Agent {
    /// Name of the operating system, empty if unknown.
    os: String,
    /// Name of the browser, app, bot or tool, empty if unknown.
    browser: String,
    /// Major version of the browser; absent if unknown.
    #[schema(required = false, format = Int64, minimum = 0, maximum = 4_294_967_295_u32)]
    version: u32,
    /// Kind of device; absent if unknown.
    #[schema(required = false)]
    kind: DeviceKind,
}

/// Kind of device.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum DeviceKind {
    Bot,
    Console,
    Desktop,
    Mobile,
    Tablet,
    Tool,
    Tv,
}

/// Why nothing was done.
#[derive(ToSchema)]
pub(in crate::endpoints) struct SessionError {
    error: SessionErrorText,
}

/// A fixed text.
#[derive(ToSchema)]
enum SessionErrorText {
    #[schema(rename = "authentication is too old")]
    NotFresh,
    #[schema(rename = "bad request")]
    BadRequest,
    #[schema(rename = "cross-site request")]
    CrossSite,
    #[schema(rename = "forbidden")]
    Forbidden,
    #[schema(rename = "method not allowed")]
    MethodNotAllowed,
    #[schema(rename = "not found")]
    NotFound,
    #[schema(rename = "service unavailable")]
    Unavailable,
    #[schema(rename = "unauthorized")]
    Unauthorized,
}

fn ip() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let address = |format| text().format(Some(SchemaFormat::KnownFormat(format)));
    let mut ip = AnyOf::new();
    ip.items = vec![
        address(KnownFormat::Ipv4).into(),
        address(KnownFormat::Ipv6).into(),
        text().max_length(Some(0)).into(),
    ];
    ip.description = Some("The address that logged in, empty if unknown.".into());
    Schema::AnyOf(ip)
}

fn meta() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .max_properties(Some(Meta::MAX_ENTRIES))
        .description(Some(
            "The application's own entries; absent if there are none.",
        ))
        .build()
}

/// Which session.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::endpoints) struct ById {
    /// Id of a session, as lists have it.
    #[param(
        format = "uuid",
        pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
    )]
    id: String,
}

/// Whose sessions.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::endpoints) struct OfUser {
    /// The application's name for the user, byte for byte. A key of more than 256 bytes of UTF-8, or
    /// with NUL, is nobody's.
    #[param(min_length = 1)]
    user_key: String,
}

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::endpoints) struct OfPage {
    /// Begins behind the session of this id, which need not exist any more.
    #[param(
        required = false,
        format = "uuid",
        pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
    )]
    after: String,
    /// Most sessions of the page. It may have fewer, even none, although others follow.
    #[param(required = false, minimum = 1, maximum = 1_000, default = 100)]
    limit: u32,
}

/// `after` or `limit` is malformed, out of bounds or there twice.
#[derive(IntoResponses)]
#[response(status = 400, example = json!({"error": "bad request"}))]
pub(in crate::endpoints) struct BadPage(SessionError);

/// There is no `user_key`, or several, or it is empty or wrongly encoded; or `after` or `limit` is
/// malformed, out of bounds or there twice.
#[derive(IntoResponses)]
#[response(status = 400, example = json!({"error": "bad request"}))]
pub(in crate::endpoints) struct BadUserOrPage(SessionError);

/// There is no `user_key`, or several, or it is empty or wrongly encoded.
#[derive(IntoResponses)]
#[response(status = 400, example = json!({"error": "bad request"}))]
pub(in crate::endpoints) struct BadRequest(SessionError);

/// The request has no live session.
#[derive(IntoResponses)]
#[response(status = 401, example = json!({"error": "unauthorized"}))]
pub(in crate::endpoints) struct Unauthorized(SessionError);

/// Another site made the browser send it.
#[derive(IntoResponses)]
#[response(status = 403, example = json!({"error": "cross-site request"}))]
pub(in crate::endpoints) struct CrossSite(SessionError);

/// Another site made the browser send it, or the user proved who they are too long ago.
#[derive(IntoResponses)]
#[response(status = 403, example = json!({"error": "authentication is too old"}))]
pub(in crate::endpoints) struct MayNotEnd(SessionError);

/// The user is no administrator, or another site made the browser send it.
#[derive(IntoResponses)]
#[response(status = 403, example = json!({"error": "forbidden"}))]
pub(in crate::endpoints) struct Forbidden(SessionError);

/// There is no such session, or it is another user's.
#[derive(IntoResponses)]
#[response(status = 404, example = json!({"error": "not found"}))]
pub(in crate::endpoints) struct NotFound(SessionError);

/// It cannot be told or done now; nobody was logged out by that. Try again later.
#[derive(IntoResponses)]
#[response(
    status = 503,
    headers(("Retry-After" = u32, description = "Seconds to wait")),
    example = json!({"error": "service unavailable"})
)]
pub(in crate::endpoints) struct Unavailable(SessionError);
