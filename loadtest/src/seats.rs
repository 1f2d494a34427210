//! Rooms and people that are there already: a file of chats and tokens, so that a run needs no
//! routes of the server at all.

use std::sync::Arc;

use crate::cast::Room;
use crate::plan::{Plan, ROOMS_MAX};

/// Longest token in bytes.
const TOKEN_MAX: usize = 8 * 1024;
/// Longest id of a chat in bytes.
const CHAT_MAX: usize = 200;

/// Lines of `chat,token[,token...]`; blank ones and those that begin with `#` are left out.
///
/// # Errors
/// What is wrong in which line; never what stands there.
pub fn read(text: &str) -> Result<Vec<Room>, String> {
    let mut rooms: Vec<Room> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fault = |what: &str| format!("line {number}: {what}");
        let is_plain = |text: &str, most: usize| {
            let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
            !text.is_empty() && text.len() <= most && text.bytes().all(plain)
        };
        let mut words = line.split(',').map(str::trim);
        let chat = words.next().unwrap_or_default();
        if !is_plain(chat, CHAT_MAX) {
            return Err(fault("a chat's id is plain letters and at most 200 of them"));
        }
        let tokens: Vec<Arc<str>> = words.map(Arc::from).collect();
        if tokens.is_empty() || !tokens.iter().all(|token| is_plain(token, TOKEN_MAX)) {
            return Err(fault("behind the chat's id stand tokens, of plain letters"));
        }
        if rooms.iter().any(|room| room.chat == chat) {
            return Err(fault("a chat that was there already"));
        }
        if rooms.len() == ROOMS_MAX as usize {
            return Err(fault("more rooms than there may be"));
        }
        rooms.push(Room { chat: chat.to_owned(), tokens });
    }
    if rooms.is_empty() { Err("no line has a chat and a token".to_owned()) } else { Ok(rooms) }
}

/// The plan with as many rooms as there are, and no more workers than rooms.
#[must_use]
pub fn fit(plan: Plan, rooms: &[Room]) -> Plan {
    let rooms = u32::try_from(rooms.len()).unwrap_or(u32::MAX);
    Plan { rooms, workers: plan.workers.min(rooms.max(1)), ..plan }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_chats_and_tokens() {
        let rooms = read("# mine\n\n a1 , t1,t2\nb2,t3\n").unwrap();
        let told: Vec<_> =
            rooms.iter().map(|room| (room.chat.as_str(), room.tokens.len())).collect();
        assert_eq!(told, [("a1", 2), ("b2", 1)]);
    }

    #[test]
    fn what_is_wrong_is_told_without_what_stands_there() {
        let check = |text: &str, words: &str| {
            let fault = read(text).unwrap_err();
            assert!(fault.contains(words) && !fault.contains("hunter2"), "{fault}");
        };
        check("", "no line");
        check("hunter2", "line 1: behind");
        check("a,hun\"ter2", "line 1: behind");
        check("a,t\n\"hunter2,t", "line 2: a chat's id");
        check("a,t\na,hunter2", "line 2: a chat that was there");
    }
}
