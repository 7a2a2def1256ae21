//! SCIM's filter language: comparisons joined by `and`, `or`, `not` and parentheses; words in any case.

use crate::refusal::{Refusal, Result};
use virga_model::Timestamp;
use virga_serve::axum::http::StatusCode;
use virga_store::{
    row::micros,
    select::Bind,
    uaa::scim::{Column, Filter, Kind, Operator},
};

/// Longest filter, most comparisons in it, deepest nesting.
const MAX_BYTES: usize = 16 * 1024;
const MAX_COMPARISONS: usize = 200;
const MAX_DEPTH: usize = 32;

/// What may be compared: name in lower case, and column.
pub(crate) type Attributes = &'static [(&'static str, Column)];

fn invalid(reason: impl std::fmt::Display) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_filter", format!("Invalid filter expression: {reason}"))
}

/// Reads a filter.
pub(crate) fn parse(text: &str, attributes: Attributes) -> Result<Filter> {
    if text.len() > MAX_BYTES {
        return Err(invalid("it is too long"));
    }
    let mut parser = Parser { rest: text, attributes, comparisons: 0, depth: 0 };
    let filter = parser.alternatives()?;
    match parser.next()? {
        None => Ok(filter),
        Some(_) => Err(invalid("comparisons are joined by and, or")),
    }
}

/// The column of an attribute.
pub(crate) fn column(name: &str, attributes: Attributes) -> Result<Column> {
    let found = attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, column)| *column).ok_or_else(|| {
        let known: Vec<_> = attributes.iter().map(|(name, _)| *name).collect();
        invalid(format_args!("there is no attribute {name}; there are {}", known.join(", ")))
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Open,
    Close,
    Word(&'a str),
    Quoted(String),
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(text) if text.eq_ignore_ascii_case(word))
    }
}

struct Parser<'a> {
    rest: &'a str,
    attributes: Attributes,
    comparisons: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// Takes the next token; `None` at the end.
    fn next(&mut self) -> Result<Option<Token<'a>>> {
        self.rest = self.rest.trim_start();
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let (token, rest) = match first {
            '(' => (Token::Open, self.rest.get(1..).unwrap_or_default()),
            ')' => (Token::Close, self.rest.get(1..).unwrap_or_default()),
            '"' => quoted(self.rest.get(1..).unwrap_or_default())?,
            _ => {
                let end = self.rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"')).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
                (Token::Word(word), rest)
            }
        };
        self.rest = rest;
        Ok(Some(token))
    }

    /// Takes the next token if it is this word.
    fn takes(&mut self, word: &str) -> Result<bool> {
        let before = self.rest;
        if self.next()?.is_some_and(|token| token.is(word)) {
            return Ok(true);
        }
        self.rest = before;
        Ok(false)
    }

    fn alternatives(&mut self) -> Result<Filter> {
        let mut filter = self.conjunction()?;
        while self.takes("or")? {
            filter = Filter::Or(Box::new(filter), Box::new(self.conjunction()?));
        }
        Ok(filter)
    }

    fn conjunction(&mut self) -> Result<Filter> {
        let mut filter = self.single()?;
        while self.takes("and")? {
            filter = Filter::And(Box::new(filter), Box::new(self.single()?));
        }
        Ok(filter)
    }

    fn single(&mut self) -> Result<Filter> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(invalid("it nests too deep"));
        }
        let filter = match self.next()? {
            Some(Token::Open) => {
                let inner = self.alternatives()?;
                if self.next()? != Some(Token::Close) {
                    return Err(invalid("a parenthesis is not closed"));
                }
                inner
            }
            Some(token) if token.is("not") => Filter::Not(Box::new(self.single()?)),
            Some(Token::Word(attribute)) => self.comparison(attribute)?,
            Some(_) => return Err(invalid("a comparison begins with an attribute")),
            None => return Err(invalid("it ends too early")),
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self, attribute: &str) -> Result<Filter> {
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            return Err(invalid("it has too many comparisons"));
        }
        let column = column(attribute, self.attributes)?;
        let Some(Token::Word(operator)) = self.next()? else {
            return Err(invalid(format_args!("{attribute} is followed by no operator")));
        };
        if operator.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(column));
        }
        let operator = operator_named(operator, column.kind)?;
        match self.next()? {
            Some(Token::Quoted(text)) => Ok(Filter::Compare(column, operator, value(&text, column.kind)?)),
            Some(Token::Word(text)) if matches!(column.kind, Kind::Flag | Kind::Number) => {
                Ok(Filter::Compare(column, operator, value(text, column.kind)?))
            }
            _ => Err(invalid("a value must stand in double quotes")),
        }
    }
}

fn operator_named(name: &str, kind: Kind) -> Result<Operator> {
    let text = matches!(kind, Kind::Text | Kind::LowerText);
    let ordered = kind != Kind::Flag;
    match name.to_ascii_lowercase().as_str() {
        "eq" => Ok(Operator::Equal),
        "ne" => Ok(Operator::NotEqual),
        "co" if text => Ok(Operator::Contains),
        "sw" if text => Ok(Operator::StartsWith),
        "ew" if text => Ok(Operator::EndsWith),
        "gt" if ordered => Ok(Operator::Greater),
        "ge" if ordered => Ok(Operator::GreaterOrEqual),
        "lt" if ordered => Ok(Operator::Less),
        "le" if ordered => Ok(Operator::LessOrEqual),
        "co" | "sw" | "ew" | "gt" | "ge" | "lt" | "le" => Err(invalid(format_args!("{name} does not fit this attribute"))),
        _ => Err(invalid("the operators are eq, ne, co, sw, ew, pr, gt, ge, lt, le")),
    }
}

fn value(text: &str, kind: Kind) -> Result<Bind> {
    match kind {
        Kind::Text => Ok(text.into()),
        Kind::LowerText => Ok(text.to_lowercase().into()),
        Kind::Flag => match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(invalid(format_args!("{text} is neither true nor false"))),
        },
        Kind::Number => text.parse::<i64>().map(Bind::Int).map_err(|_| invalid(format_args!("{text} is no number"))),
        Kind::Time => {
            let time: Timestamp = text.parse().map_err(|_| invalid(format_args!("{text} is no time (2026-01-31T00:00:00.000Z)")))?;
            Ok(Bind::Int(micros(time)))
        }
    }
}

/// A text up to its closing quote, after the opening one.
fn quoted(text: &str) -> Result<(Token<'static>, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let rest = text.get(at + 1..).unwrap_or_default();
                if !rest.is_empty() && !rest.starts_with(|c: char| c.is_whitespace() || c == ')') {
                    return Err(invalid("a quote inside a value must be escaped"));
                }
                return Ok((Token::Quoted(value), rest));
            }
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    Err(invalid("a value has no closing quote"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAME: Column = Column { name: "username_key", kind: Kind::LowerText };
    const ORIGIN: Column = Column { name: "origin", kind: Kind::Text };
    const ACTIVE: Column = Column { name: "active", kind: Kind::Flag };
    const CREATED: Column = Column { name: "created_at", kind: Kind::Time };
    const KNOWN: Attributes = &[("username", NAME), ("origin", ORIGIN), ("active", ACTIVE), ("meta.created", CREATED)];

    fn equal(column: Column, text: &str) -> Filter {
        Filter::Compare(column, Operator::Equal, text.into())
    }

    #[test]
    fn the_filters_of_clients_are_read() {
        let read = |text| parse(text, KNOWN).unwrap();
        assert_eq!(read("userName eq \"a b\""), equal(NAME, "a b"));
        let both = Filter::And(Box::new(equal(NAME, "x and y")), Box::new(equal(ORIGIN, "uaa")));
        assert_eq!(
            read("UserName EQ \"X and y\" AND origin eq \"uaa\" or Active eq true"),
            Filter::Or(Box::new(both.clone()), Box::new(Filter::Compare(ACTIVE, Operator::Equal, true.into()))),
            "and binds closer than or"
        );
        assert_eq!(read("(userName eq \"x and y\" and (origin eq \"uaa\"))"), both);
        assert_eq!(read("not(origin pr)"), Filter::Not(Box::new(Filter::Present(ORIGIN))));
        assert_eq!(read(r#"origin sw "a\"b\\c""#), Filter::Compare(ORIGIN, Operator::StartsWith, r#"a"b\c"#.into()));
        let time = Filter::Compare(CREATED, Operator::Greater, Bind::Int(1_000_000));
        assert_eq!(read("meta.created gt \"1970-01-01T00:00:01.000Z\""), time);
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let many = ["origin eq \"x\""; 201].join(" or ");
        let long = "x".repeat(MAX_BYTES + 1);
        let deep = "(".repeat(5_000);
        let nots = "not ".repeat(4_000);
        for text in ["", "userName", "userName eq", "userName eq x", "userName eq \"x", "password eq \"x\"", &many, &long, &deep, &nots] {
            assert!(parse(text, KNOWN).is_err(), "{text}");
        }
        for text in [
            "userName eq \"a\"b\"",
            "userName eq \"a\" xor origin eq \"b\"",
            "userName eq \"a\" and",
            "userName eq \"a\\",
            "(userName eq \"a\"",
            "userName eq \"a\")",
            "active co \"t\"",
            "active eq maybe",
            "meta.created gt \"yesterday\"",
            "\"userName\" eq \"a\"",
            "not",
        ] {
            assert!(parse(text, KNOWN).is_err(), "{text}");
        }
    }

    fn written(filter: &Filter) -> String {
        match filter {
            Filter::Present(_) => "origin pr".to_owned(),
            Filter::Compare(_, _, Bind::Text(text)) => {
                format!("origin eq \"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Filter::And(a, b) => format!("({} and {})", written(a), written(b)),
            Filter::Or(a, b) => format!("({} or {})", written(a), written(b)),
            Filter::Not(a) => format!("not ({})", written(a)),
            other => panic!("not made below: {other:?}"),
        }
    }

    fn filters() -> impl Strategy<Value = Filter> {
        let leaf = prop_oneof![Just(Filter::Present(ORIGIN)), ".{0,12}".prop_map(|text| equal(ORIGIN, &text))];
        leaf.prop_recursive(6, 40, 2, |inner| {
            let two = (inner.clone(), inner.clone());
            prop_oneof![
                two.clone().prop_map(|(a, b)| Filter::And(Box::new(a), Box::new(b))),
                two.prop_map(|(a, b)| Filter::Or(Box::new(a), Box::new(b))),
                inner.prop_map(|a| Filter::Not(Box::new(a))),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_filter_reads_back_as_it_was_meant(filter in filters()) {
            prop_assert_eq!(parse(&written(&filter), KNOWN).unwrap(), filter);
        }

        #[test]
        fn no_text_makes_the_parser_fail_badly(text in "\\PC{0,200}") {
            let _either = parse(&text, KNOWN);
        }

        #[test]
        fn words_of_the_language_in_any_order_are_no_danger(
            words in prop::collection::vec(prop_oneof![
                Just("("), Just(")"), Just("and"), Just("or"), Just("not"), Just("userName"), Just("eq"), Just("pr"), Just("\"x\""), Just("\"")
            ], 0..60)
        ) {
            let _either = parse(&words.join(" "), KNOWN);
        }
    }
}
