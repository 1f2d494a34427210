//! History over REST.

use serde_json::{Value, json};

use super::{Trio, check_error};

fn seqs(body: &Value) -> Vec<i64> {
    let messages = body["messages"].as_array().unwrap();
    messages.iter().map(|message| message["seq"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn history_is_what_was_said_in_the_order_of_seq() {
    let trio = Trio::new().await;
    let (customer, provider) =
        (trio.customer.enter(&trio.chat).await, trio.provider.enter(&trio.chat).await);
    let mut said = Vec::new();
    for at in 0..10 {
        let live = if at % 2 == 0 { &customer } else { &provider };
        said.push(live.send(&trio.chat, &format!("number {at} \u{202e} \"quoted\" 🦀")).await);
    }
    let path = format!("/chat/{}/messages", trio.chat);
    let (status, body) = trio.customer.get(&path).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["chatId"], trio.chat.as_str());
    assert_eq!(body["messages"], Value::Array(said));
    assert_eq!((&body["firstSeq"], &body["lastSeq"]), (&json!(1), &json!(10)));
    assert_eq!(body["hasMore"], false);
    assert!(!body["epoch"].as_str().unwrap().is_empty());
    let page = async |query: &str| {
        let (status, body) = trio.provider.get(&format!("{path}?{query}")).await;
        assert_eq!(status, 200, "{body}");
        (seqs(&body), body["hasMore"].as_bool().unwrap())
    };
    assert_eq!(page("limit=3").await, (vec![8, 9, 10], true));
    assert_eq!(page("limit=3&beforeSeq=8").await, (vec![5, 6, 7], true));
    assert_eq!(page("limit=3&beforeSeq=3").await, (vec![1, 2], false));
    assert_eq!(page("limit=3&afterSeq=0").await, (vec![1, 2, 3], true));
    assert_eq!(page("limit=30&afterSeq=7").await, (vec![8, 9, 10], false));
    assert_eq!(page("afterSeq=10").await, (vec![], false));
    assert_eq!(page("beforeSeq=1").await, (vec![], false));
    assert_eq!(page("afterSeq=3&beforeSeq=6").await, (vec![4, 5], false));
    assert_eq!(page("afterSeq=3&beforeSeq=9&limit=2").await, (vec![4, 5], true));
    assert_eq!(page("afterSeq=6&beforeSeq=3").await, (vec![], false));
}

#[tokio::test]
async fn an_empty_chat_has_an_empty_history() {
    let trio = Trio::new().await;
    let (status, body) = trio.customer.get(&format!("/chat/{}/messages", trio.chat)).await;
    assert_eq!(status, 200);
    assert_eq!(body["messages"], json!([]));
    assert_eq!((&body["firstSeq"], &body["lastSeq"]), (&Value::Null, &Value::Null));
    assert_eq!(body["hasMore"], false);
}

#[tokio::test]
async fn a_wrong_page_is_refused() {
    let trio = Trio::new().await;
    for query in [
        "limit=0",
        "limit=-1",
        "limit=1001",
        "limit=1e9",
        "limit=x",
        "limit=99999999999999999999",
        "afterSeq=-1",
        "afterSeq=x",
        "afterSeq=9223372036854775807",
        "afterSeq=9223372036854775808",
        "beforeSeq=-1",
    ] {
        let path = format!("/chat/{}/messages?{query}", trio.chat);
        check_error(&trio.customer.get(&path).await, "bad_request");
    }
}

#[tokio::test]
async fn a_long_history_comes_whole() {
    let trio = Trio::new().await;
    trio.server
        .sql_of_chat(
            "with said as (
                 insert into messages
                     (chat_id, seq, id, sender_id, message_type, body, created_at)
                 select $1, n, gen_random_uuid(), (select user_id from chat_members
                     where chat_id = $1 and role = 'customer'), 'text',
                     n || repeat(' long text', 60), now()
                 from generate_series(1, 3000) n)
             update chats set last_seq = 3000, said_customer = 3000 where id = $1",
            &trio.chat,
        )
        .await;
    let path = format!("/chat/{}/messages", trio.chat);
    let (status, body) = trio.provider.get(&path).await;
    assert_eq!(status, 200);
    assert_eq!(seqs(&body), (1..=3_000).collect::<Vec<_>>());
    assert_eq!((&body["lastSeq"], &body["hasMore"]), (&json!(3_000), &json!(false)));
    let (_, body) = trio.provider.get(&format!("{path}?limit=1000&beforeSeq=2001")).await;
    assert_eq!(seqs(&body), (1_001..=2_000).collect::<Vec<_>>());
    assert_eq!(body["hasMore"], true);
}
