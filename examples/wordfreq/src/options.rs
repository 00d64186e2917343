//! The command line.

/// What `--help` prints.
pub const USAGE: &str = "\
usage: wordfreq [--top N] [--min-length N] [FILE...]

  --top N         show the N most frequent words (default: 10)
  --min-length N  count words of at least N letters (default: 1)
  FILE            text files; - or none: standard input
";

/// What the user wants counted and shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// How many words to show.
    pub top: usize,
    /// Shorter words are left out.
    pub min_length: usize,
    /// The texts, `-` for standard input.
    pub files: Vec<String>,
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// The usage text.
    Help,
    /// Counting.
    Count(Options),
}

impl Options {
    /// Read the arguments that follow the program's name.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in a sentence.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Request, String> {
        let mut arguments = arguments.into_iter();
        let mut options = Self {
            top: 10,
            min_length: 1,
            files: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(Request::Help),
                "--top" => options.top = number(&argument, arguments.next())?,
                "--min-length" => options.min_length = number(&argument, arguments.next())?,
                _ if argument.starts_with("--") => return Err(format!("unknown option {argument}")),
                _ => options.files.push(argument),
            }
        }
        if options.files.is_empty() {
            options.files.push("-".to_owned());
        }
        Ok(Request::Count(options))
    }
}

fn number(option: &str, value: Option<String>) -> Result<usize, String> {
    let value = value.ok_or_else(|| format!("{option} needs a number"))?;
    value
        .parse()
        .map_err(|_| format!("{option} needs a number, not {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_and_files_may_be_mixed() {
        let expected = Options {
            top: 3,
            min_length: 4,
            files: vec!["a.txt".into(), "b.txt".into()],
        };
        assert_eq!(
            parse("a.txt --top 3 b.txt --min-length 4"),
            Ok(Request::Count(expected))
        );
    }

    #[test]
    fn a_bad_number_is_shown() {
        assert_eq!(parse("--top many"), Err("--top needs a number, not \"many\"".into()));
    }

    #[test]
    fn unknown_options_are_refused() {
        assert_eq!(parse("--tpo 3"), Err("unknown option --tpo".into()));
    }
}
