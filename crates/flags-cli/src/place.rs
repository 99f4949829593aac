//! [`Place`]: where a store is, as far as the next step depends on it.

use crate::failure::NOTHING_CHANGED;

/// Where a store is, as far as the next step depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A server somewhere.
    Server,
    /// A file that holds the store.
    File,
    /// Memory, which may begin with what a file holds.
    Memory,
}

impl Place {
    /// The place that a URL names; where there is none, it is a file.
    pub(crate) fn of(url: Option<&str>) -> Self {
        match url.unwrap_or_default().split_once(':').map_or("", |(scheme, _)| scheme) {
            "" | "file" => Self::File,
            "memory" => Self::Memory,
            _ => Self::Server,
        }
    }

    /// What to do where it was not reached.
    pub(crate) fn unreached(self) -> String {
        let next = match self {
            Self::Server => "check the URL in --store or FLAGS_STORE, and that the store is up",
            Self::File => "the store is the file that --store or FLAGS_STORE names, else ./flags.json",
            Self::Memory => "memory:FILE in --store or FLAGS_STORE names an exported document",
        };
        format!("{NOTHING_CHANGED}; {next}")
    }

    /// What to do where it refused.
    pub(crate) fn denied(self) -> &'static str {
        match self {
            Self::Server => {
                "check the user and the password in the URL, and what the store permits that user"
            }
            Self::File | Self::Memory => {
                "check what the file, its directory and the .lock file beside it permit this user"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_url_says_where_the_store_is() {
        for (url, place) in [
            (None, Place::File),
            (Some(""), Place::File),
            (Some("file:flags.json"), Place::File),
            (Some("memory:"), Place::Memory),
            (Some("rediss://h"), Place::Server),
        ] {
            assert_eq!(Place::of(url), place, "{url:?}");
        }
    }
}
