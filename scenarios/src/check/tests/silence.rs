//! Too little to judge by.

use super::*;

#[test]
fn silence_is_no_proof() {
    let mut nobody = recording(&[]);
    for person in &mut nobody.people {
        person.entries.clear();
        person.histories.clear();
    }
    nobody.members.clear();
    let unknown = |what: &str| format!("unknown: there was not {what} to judge by");
    check(&nobody, ONCE, "unknown: no message was acknowledged");
    let second = "a second message of a chat that was shown to one person";
    check(&nobody, Word::RoomOrder, &unknown(second));
    check(&nobody, Word::PerSenderOrder, &unknown(second));
    check(&nobody, Word::HistoryEqualsLive, &unknown("a message in a history"));
    check(&nobody, Word::RoomIsolation, &unknown("an event of a room"));
    check(&nobody, Word::NoServerErrors, "unknown: nobody asked the server for anything");
    let look = unknown("a look at the history while a message came");
    check(&recording(&ALL), Word::SavedBeforeBroadcast, &look);
    // One message at a time is in order, and who is in a chat may hear all of it.
    let mut alone = recording(&[]);
    for person in &mut alone.people[..2] {
        let mut shown = 0;
        person.entries.retain(|entry| {
            shown += usize::from(matches!(entry.what, What::Message { .. }));
            shown < 2
        });
    }
    check(&alone, Word::RoomOrder, &unknown(second));
    check(&alone, Word::PerSenderOrder, &unknown(second));
    let mut insiders = recording(&ALL);
    insiders.people.truncate(2);
    let outside = unknown("anybody who listened and was not in the chat");
    check(&insiders, Word::RoomIsolation, &outside);
    let mut locked_out = recording(&ALL);
    locked_out.people[1].unread = Some("denied".to_owned());
    for word in [ONCE, Word::HistoryEqualsLive] {
        check(&locked_out, word, "unknown: provider cannot read a history: denied");
    }
    let mut unread = recording(&ALL);
    unread.people[1].histories.clear();
    check(&unread, ONCE, "unknown: user 2 did not read the history at the end");
}
