//! Statement by statement: who is a stranger, out of the chat or disabled does and sees nothing.
//! REST and sockets ask who somebody is before they come here; these are the checks behind that, in
//! the statements that act.

use trialogue_protocol::{DisputeId, JobId, JobStatus, Role, UserId};
use trialogue_server::store::{Booking, DisputeOpening, DisputeStep, Ended, Range, Verdict};

use super::{Booked, World, dispute, job, tokens};

/// A chat with all three in it, and its dispute.
struct Trio {
    booked: Booked,
    lsm: UserId,
    job: JobId,
    dispute: DisputeId,
}

impl World {
    async fn trio(&self) -> Trio {
        let lsm = self.person(Role::Lsm).await;
        let booked = self.booking().await;
        let job = self.store.jobs(booked.customer, i64::MAX, 1).await.unwrap()[0].id;
        let opened = self.store.open_dispute(dispute(booked, booked.customer)).await.unwrap();
        let DisputeOpening::Opened { dispute_id: dispute, .. } = opened else {
            panic!("{opened:?}")
        };
        let step = self.store.join_dispute(lsm, dispute).await.unwrap();
        assert!(matches!(step, DisputeStep::Done { .. }), "{step:?}");
        self.stored(booked.customer, booked.chat, "hello").await;
        // The next one's dispute is for the next one's LSM.
        let move_away = "update users set region_key = 'away' where id = $1 returning 1::bigint";
        self.count_of(move_away, lsm).await;
        Trio { booked, lsm, job, dispute }
    }

    /// What this person may do with the chat, by name: nothing, if all is well. That a settled
    /// dispute is shown to its LSM is not asked of who is one.
    async fn may(&self, who: UserId, trio: &Trio) -> Vec<&'static str> {
        let (store, chat) = (&self.store, trio.booked.chat);
        let resolved = || "done".to_owned();
        let page = Range::After { seq: 0, limit: None };
        let denied = |step: DisputeStep| step == DisputeStep::Denied;
        let asked = [
            ("entry", store.entry(who, chat).await.unwrap().is_some()),
            ("chat", store.chat(who, chat).await.unwrap().is_some()),
            ("chats", !store.chats(who, None, 9).await.unwrap().0.is_empty()),
            ("views", store.chat_views(chat).await.unwrap().iter().any(|(user, _)| *user == who)),
            ("job", store.job(who, trio.job).await.unwrap().is_some()),
            ("jobs", !store.jobs(who, i64::MAX, 9).await.unwrap().is_empty()),
            ("reach", store.reach(who, chat).await.unwrap().is_some()),
            ("page", store.page(who, chat, page, 9_999).await.unwrap().is_some()),
            ("mark", store.mark_read(who, chat, None).await.unwrap().is_some()),
            ("send", !matches!(self.say(who, chat, "hi", None).await, Verdict::Denied)),
            (
                "dispute",
                store.open_dispute(dispute(trio.booked, who)).await.unwrap()
                    != DisputeOpening::Denied,
            ),
            ("join", !denied(store.join_dispute(who, trio.dispute).await.unwrap())),
            ("accept", !denied(store.accept_invite(who, chat).await.unwrap())),
            (
                "complete",
                store.end_job(who, trio.job, JobStatus::Completed).await.unwrap() != Ended::Denied,
            ),
            (
                "cancel",
                store.end_job(who, trio.job, JobStatus::Cancelled).await.unwrap() != Ended::Denied,
            ),
            (
                "resolve",
                !denied(store.resolve_dispute(who, trio.dispute, resolved()).await.unwrap()),
            ),
        ];
        asked.into_iter().filter(|(_, may)| *may).map(|(what, _)| what).collect()
    }

    /// The names of the disputes that a list shows.
    async fn disputes_of(&self, who: UserId) -> usize {
        self.store.disputes(who, None, i64::MAX, 9).await.unwrap().len()
    }
}

const NOTHING: [&str; 0] = [];

#[tokio::test]
async fn a_stranger_of_any_role_does_and_sees_nothing() {
    let world = World::new().await;
    let trio = world.trio().await;
    for role in [Role::Customer, Role::Provider, Role::Lsm] {
        let stranger = world.person(role).await;
        assert_eq!(world.may(stranger, &trio).await, NOTHING, "{role:?}");
        assert_eq!(world.disputes_of(stranger).await, 0);
    }
    assert_eq!(world.may(UserId(-1), &trio).await, NOTHING);
    // The same questions, asked by who may: nobody is refused by mistake.
    let looks = ["entry", "chat", "chats", "views", "job", "jobs", "reach", "page", "mark", "send"];
    for (who, more) in [
        (trio.booked.provider, &["dispute", "complete"][..]),
        (trio.booked.customer, &["dispute", "cancel"]),
        (trio.lsm, &["join", "accept", "resolve"]),
    ] {
        assert_eq!(world.may(who, &trio).await, [&looks[..], more].concat(), "{who}");
    }
}

#[tokio::test]
async fn a_disabled_member_of_any_role_does_and_sees_nothing() {
    let world = World::new().await;
    let disable = "update users set disabled_at = now() where id = $1 returning 1::bigint";
    for role in [Role::Customer, Role::Provider, Role::Lsm] {
        let trio = world.trio().await;
        let who = member(&trio, role);
        world.count_of(disable, who).await;
        assert_eq!(world.may(who, &trio).await, NOTHING, "{role:?}");
        assert_eq!(world.disputes_of(who).await, 0, "{role:?}");
        let provider = world.person(Role::Provider).await;
        let booked = world.store.book_job(job(who, provider)).await.unwrap();
        assert_eq!(booked, Booking::Denied);
        let hash = "none".to_owned();
        let opened = world.store.open_session(who, hash.clone(), None, tokens()).await.unwrap();
        assert!(!opened, "a session was opened");
        let session = tokens().session;
        let changed = world.store.change_password(who, session, hash.clone(), hash).await.unwrap();
        assert!(!changed, "a password was changed");
    }
    let (customer, gone) = (world.person(Role::Customer).await, world.person(Role::Provider).await);
    world.count_of(disable, gone).await;
    let booked = world.store.book_job(job(customer, gone)).await.unwrap();
    assert_eq!(booked, Booking::NoProvider, "a disabled provider is not booked");
    let found = world.store.providers(None, None, 0, 99).await.unwrap();
    assert!(found.iter().all(|provider| provider.id != gone), "and not found");
}

#[tokio::test]
async fn who_is_out_of_a_chat_does_and_sees_nothing_of_it() {
    let world = World::new().await;
    for role in [Role::Customer, Role::Provider, Role::Lsm] {
        let trio = world.trio().await;
        let who = member(&trio, role);
        let mut outside = world.connect().await;
        let out = "update chat_members set removed_at = now() where chat_id = $1 and user_id = $2";
        sqlx::query(out).bind(trio.booked.chat.0).bind(who.0).execute(&mut outside).await.unwrap();
        let mut may = world.may(who, &trio).await;
        if role == Role::Lsm {
            // What is left to the LSM of an open dispute is its dispute.
            may.retain(|what| !["join", "accept", "resolve"].contains(what));
        } else {
            assert_eq!(world.disputes_of(who).await, 0, "{role:?}");
        }
        assert_eq!(may, NOTHING, "{role:?}");
        let other = if role == Role::Customer { Role::Provider } else { Role::Customer };
        let chat = world.store.chat(member(&trio, other), trio.booked.chat).await.unwrap().unwrap();
        assert!(chat.members.iter().all(|member| member.user_id != who), "still on the list");
    }
}

fn member(trio: &Trio, role: Role) -> UserId {
    match role {
        Role::Customer => trio.booked.customer,
        Role::Provider => trio.booked.provider,
        Role::Lsm => trio.lsm,
    }
}
