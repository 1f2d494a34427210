//! People who are there already: a file of passwords or tokens, the rooms that they share, and
//! tokens that are renewed for as long as a run lasts.

mod enter;
mod tokens;

pub use enter::{Seated, Secret, seat};
pub use tokens::{Renewal, Tokens};

/// Most people of a file.
pub const PEOPLE_MAX: usize = 200_000;
/// Longest field in bytes; tokens are the longest.
const FIELD_MAX: usize = 8 * 1024;

/// One of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// Who signs in with it.
    pub email: String,
    /// Empty when there are tokens, or a secret to make them with.
    pub password: String,
    /// An access token, or empty.
    pub token: String,
    /// Renews it, or empty.
    pub refresh_token: String,
    /// The id that tokens carry, where tokens are to be made.
    pub id: Option<i64>,
    /// The role that tokens carry, where tokens are to be made.
    pub role: String,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Person({:?}, ***)", self.email)
    }
}

/// Takes a field in; false when it cannot be one.
type Put = fn(&mut Person, &str) -> bool;

/// The columns that are known, without regard to case.
const COLUMNS: [(&str, Put); 8] = [
    ("email", |person, text| put(&mut person.email, text)),
    ("password", |person, text| put(&mut person.password, text)),
    ("token", |person, text| put(&mut person.token, text)),
    ("accessToken", |person, text| put(&mut person.token, text)),
    ("refreshToken", |person, text| put(&mut person.refresh_token, text)),
    ("role", |person, text| put(&mut person.role, text)),
    ("userId", put_id),
    ("id", put_id),
];

fn put(field: &mut String, text: &str) -> bool {
    text.clone_into(field);
    true
}

fn put_id(person: &mut Person, text: &str) -> bool {
    person.id = text.parse().ok();
    person.id.is_some() || text.is_empty()
}

/// Reads CSV whose first line names its columns: `email,password`, or `token`, or, for those who
/// have the secret, `userId,role`; `refreshToken` besides. What `trialogue token mint` prints is
/// such a file.
///
/// # Errors
/// What is wrong in which line; never what stands there.
pub fn read(text: &str) -> Result<Vec<Person>, String> {
    let mut rows = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    // The library's own words would show what stands there.
    let fault = |line: u64, what: &str| format!("line {line}: {what}");
    let heads = rows.headers().map_err(|_| fault(1, "no names of columns"))?.clone();
    let columns: Vec<_> = heads
        .iter()
        .map(|head| {
            COLUMNS.iter().find(|(name, _)| name.eq_ignore_ascii_case(head)).map(|(_, put)| put)
        })
        .collect();
    if columns.iter().all(Option::is_none) {
        let known: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
        return Err(fault(1, &format!("no known name of a column; known: {}", known.join(", "))));
    }
    let mut people = Vec::new();
    for row in rows.records() {
        let row = row.map_err(|error| {
            fault(error.position().map_or(0, csv::Position::line), "not as many fields as columns")
        })?;
        let line = row.position().map_or(0, csv::Position::line);
        let mut person = Person::default();
        for (put, field) in columns.iter().zip(&row) {
            if field.len() > FIELD_MAX {
                return Err(fault(line, "a field of over 8 KiB"));
            }
            if !put.is_none_or(|put| put(&mut person, field)) {
                return Err(fault(line, "the id is no number"));
            }
        }
        let signs_in = !person.email.is_empty() && !person.password.is_empty();
        if !signs_in && person.token.is_empty() && person.id.is_none() {
            return Err(fault(line, "neither email and password, nor a token, nor an id"));
        }
        if people.len() == PEOPLE_MAX {
            return Err(fault(line, "more people than there may be"));
        }
        people.push(person);
    }
    if people.is_empty() { Err("there is nobody in it".to_owned()) } else { Ok(people) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_people_by_password_token_or_id() {
        let people = read("Email,password\n# mine\na@x.test,\"p,\"\"w\"\nb@x.test,q\n").unwrap();
        let told: Vec<_> = people.iter().map(|one| (&*one.email, &*one.password)).collect();
        assert_eq!(told, [("a@x.test", "p,\"w"), ("b@x.test", "q")]);
        // As `trialogue token mint` prints them.
        let people = read("userId,email,role,token\n7,\"c@x.test\",customer,t.t.t\n").unwrap();
        let one = &people[0];
        assert_eq!((one.id, &*one.role, &*one.token), (Some(7), "customer", "t.t.t"));
        assert_eq!(read("accesstoken,refreshtoken,note\nt,r,x\n").unwrap()[0].refresh_token, "r");
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_without_what_stands_there() {
        let check = |text: &str, words: &str| {
            let fault = read(text).unwrap_err();
            assert!(fault.contains(words) && !fault.contains("hunter2"), "{fault}");
        };
        check("", "no known name");
        check("hunter2,hunter3\n", "no known name of a column; known: email");
        check("email,password\n", "nobody");
        check("email,password\nhunter2\n", "line 2: not as many");
        check("email,password\na@x.test,\n", "line 2: neither");
        check("userId,role\nhunter2,customer\n", "line 2: the id");
        assert!(!format!("{:?}", read("token\nhunter2\n").unwrap()).contains("hunter2"));
    }
}
