//! Users and groups of the host, by name and by number.
//!
//! The files of the system are read first; what they do not know is asked of `getent`, which knows directories, too.

use std::collections::HashMap;
use std::process::{Command, Stdio};

/// A list of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum List {
    /// Users.
    Users,
    /// Groups.
    Groups,
}

impl List {
    fn file(self) -> &'static str {
        match self {
            Self::Users => "/etc/passwd",
            Self::Groups => "/etc/group",
        }
    }

    fn database(self) -> &'static str {
        match self {
            Self::Users => "passwd",
            Self::Groups => "group",
        }
    }
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// Its name.
    pub(crate) name: String,
    /// Its number.
    pub(crate) id: u32,
    /// The group of a user's login.
    pub(crate) group: Option<u32>,
}

/// Reads `name:password:number:group:...`; of groups the fourth field is a list of names.
fn account(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
    let id = fields.nth(1)?.parse().ok()?;
    let group = fields.next().and_then(|field| field.parse().ok());
    Some(Account { name: name.to_owned(), id, group })
}

/// What is known about users and groups; each is looked up once.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    files: HashMap<List, Vec<Account>>,
    asked: HashMap<(List, String), Option<Account>>,
}

impl Accounts {
    /// The account of this name.
    pub(crate) fn named(&mut self, list: List, name: &str) -> Option<Account> {
        let known = self.file(list).iter().find(|account| account.name == name).cloned();
        known.or_else(|| self.ask(list, name).filter(|account| account.name == name))
    }

    /// The name of this number.
    pub(crate) fn name_of(&mut self, list: List, id: u32) -> Option<String> {
        let known = self.file(list).iter().find(|account| account.id == id).cloned();
        let found = known.or_else(|| self.ask(list, &id.to_string()).filter(|account| account.id == id));
        found.map(|account| account.name)
    }

    fn file(&mut self, list: List) -> &[Account] {
        self.files.entry(list).or_insert_with(|| {
            let bytes = std::fs::read(list.file()).unwrap_or_default();
            String::from_utf8_lossy(&bytes).lines().filter_map(account).collect()
        })
    }

    fn ask(&mut self, list: List, key: &str) -> Option<Account> {
        // What looks like an option or like nothing is no name.
        if key.is_empty() || key.starts_with('-') || key.contains('\0') {
            return None;
        }
        let asked = self.asked.entry((list, key.to_owned()));
        asked.or_insert_with(|| getent(list, key)).clone()
    }
}

/// Where there is no such program, nobody knows more.
fn getent(list: List, key: &str) -> Option<Account> {
    let mut command = Command::new("getent");
    let output = command.args([list.database(), key]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&output.stdout).lines().find_map(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_databases_are_read() {
        let user = account("ann:x:1000:100:Ann,,,:/:/bin/sh").unwrap();
        assert_eq!(user, Account { name: "ann".into(), id: 1000, group: Some(100) });
        assert_eq!(account("staff:x:50:ann,bob").unwrap(), Account { name: "staff".into(), id: 50, group: None });
        for bad in ["", "# comment:x:1:1", "+::::", "ann", "ann:x:many:1"] {
            assert_eq!(account(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_user_with_all_rights_has_a_name_that_leads_back() {
        let mut accounts = Accounts::default();
        let name = accounts.name_of(List::Users, 0).unwrap();
        assert_eq!(accounts.named(List::Users, &name).unwrap().id, 0);
        assert_eq!(accounts.named(List::Users, "no such user"), None);
        assert_eq!(accounts.named(List::Groups, "-h"), None);
    }
}
