//! What there may be one of, there is one of, whoever writes: PostgreSQL itself refuses a second
//! one. The functions rest on locks and find twins before they store; these are the last guards.

use trialogue_protocol::Role;
use trialogue_server::store::{DisputeOpening, NewDispute, NewJob};

use super::{World, job};

/// A second row of each kind, and the constraint that refuses it.
const TWINS: [(&str, &str); 9] = [
    (
        "messages_pkey",
        "insert into messages (chat_id, seq, id, sender_id, message_type, body, created_at)
         select chat_id, seq, gen_random_uuid(), sender_id, 'text', 'twin', now() from messages",
    ),
    (
        "messages_key",
        "insert into messages
            (chat_id, seq, id, sender_id, client_message_id, message_type, body, created_at)
         select chat_id, seq + 1000, gen_random_uuid(), sender_id, client_message_id, 'text',
                'twin', now()
         from messages where client_message_id is not null",
    ),
    (
        "disputes_open",
        "insert into disputes (chat_id, job_id, raised_by, description, lsm_id)
         select chat_id, job_id, raised_by, 'twin', lsm_id from disputes",
    ),
    (
        "jobs_idempotency",
        "insert into jobs (customer_id, provider_id, idempotency_key)
         select customer_id, provider_id, idempotency_key from jobs
         where idempotency_key is not null",
    ),
    (
        "chats_job_id_key",
        "insert into chats (id, job_id) select gen_random_uuid(), job_id from chats",
    ),
    (
        "chat_members_pkey",
        "insert into chat_members (chat_id, user_id, role)
         select chat_id, user_id, role from chat_members",
    ),
    (
        "users_email_key",
        "insert into users (email, email_key, password_hash, first_name, last_name, role)
         select email, email_key, 'twin', 'a', 'b', role from users",
    ),
    (
        "refresh_tokens_pkey",
        "insert into refresh_tokens (hash, session_id) select hash, session_id from refresh_tokens",
    ),
    (
        "notifications_pkey",
        "insert into notifications (recipient_id, id, kind, created_at)
         select recipient_id, id, 'system', now() from notifications",
    ),
];

#[tokio::test]
async fn the_database_itself_refuses_a_twin() {
    let world = World::new().await;
    world.person(Role::Lsm).await;
    let booked = world.booking().await;
    let key = Some(("k".to_owned(), [7; 32]));
    let with_key = NewJob { key, ..job(booked.customer, booked.provider) };
    world.store.book_job(with_key).await.unwrap();
    world.say(booked.customer, booked.chat, "hello", Some("k")).await;
    let dispute = NewDispute {
        raised_by: booked.customer,
        chat_id: Some(booked.chat),
        job_id: None,
        description: "it leaks".to_owned(),
    };
    let opened = world.store.open_dispute(dispute).await.unwrap();
    assert!(matches!(opened, DisputeOpening::Opened { .. }), "{opened:?}");
    let mut outside = world.connect().await;
    for (constraint, twin) in TWINS {
        let refused = sqlx::query(twin).execute(&mut outside).await.err();
        let refused = refused.unwrap_or_else(|| panic!("{constraint} lets a twin in"));
        let refused = refused.into_database_error().unwrap();
        assert_eq!(refused.code().as_deref(), Some("23505"), "{constraint}: {refused}");
        assert_eq!(refused.constraint(), Some(constraint));
    }
}
