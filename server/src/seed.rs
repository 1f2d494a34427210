//! Three people to try the server with: `--seed-demo`, loopback only.

use trialogue_protocol::{ErrorCode, Register, Role};

use crate::auth::Auth;
use crate::error::Error;
use crate::flow::log_in;
use crate::state::AppState;

/// The password of all three. Known to everybody, which is why the address must be loopback.
pub const DEMO_PASSWORD: &str = "trialogue demo";
/// E-mail address, first name, last name, role. One region, so that the LSM is the provider's.
pub const DEMO_USERS: [(&str, &str, &str, Role); 3] = [
    ("customer@demo.example", "Carla", "Customer", Role::Customer),
    ("provider@demo.example", "Pavel", "Provider", Role::Provider),
    ("lsm@demo.example", "Lena", "Manager", Role::Lsm),
];

/// Makes those who are not there yet.
///
/// # Errors
///
/// What keeps the database from storing them.
pub(crate) async fn demo_users(state: &AppState) -> Result<(), Error> {
    // The operator asks for the LSM, not a visitor.
    let auth = Auth { open_registration: true, ..state.auth.clone() };
    for (email, first_name, last_name, role) in DEMO_USERS {
        let register = Register {
            email: email.to_owned(),
            password: DEMO_PASSWORD.to_owned(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            role,
            region: Some("demo".to_owned()),
            business_name: (role == Role::Provider).then(|| "Demo repairs".to_owned()),
        };
        match log_in::register(&state.store, &auth, register).await {
            Ok(_) => tracing::info!(email, "a demo user was made"),
            Err(error) if error.code() == ErrorCode::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
