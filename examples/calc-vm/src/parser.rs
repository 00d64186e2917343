//! Tokens -> tree, by recursive descent.

mod expressions;

use crate::ast::{ExprKind, Stmt, StmtKind};
use crate::error::Error;
use crate::lexer::{tokens, Token};

/// How deep brackets and blocks may nest, so that no text overflows the parser's own stack.
const MAX_NESTING: u32 = 200;

/// Read a whole program.
///
/// # Errors
///
/// The first place where the text is not a program.
pub fn parse(source: &str) -> Result<Vec<Stmt>, Error> {
    let mut parser = Parser {
        tokens: tokens(source)?,
        position: 0,
        nesting: 0,
    };
    let mut statements = Vec::new();
    while *parser.peek() != Token::End {
        statements.push(parser.statement()?);
    }
    Ok(statements)
}

struct Parser {
    tokens: Vec<(Token, u32)>,
    position: usize,
    nesting: u32,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.position].0
    }

    fn line(&self) -> u32 {
        self.tokens[self.position].1
    }

    /// Take the next token; the end is never passed.
    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        if token != Token::End {
            self.position += 1;
        }
        token
    }

    fn next_is_symbol(&mut self, symbol: &'static str) -> bool {
        let found = *self.peek() == Token::Symbol(symbol);
        self.position += usize::from(found);
        found
    }

    fn next_is_keyword(&mut self, keyword: &'static str) -> bool {
        let found = *self.peek() == Token::Keyword(keyword);
        self.position += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: &'static str) -> Result<(), Error> {
        if self.next_is_symbol(symbol) {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{symbol}`")))
    }

    fn expect_name(&mut self) -> Result<String, Error> {
        match self.peek() {
            Token::Name(name) => {
                let name = name.clone();
                self.position += 1;
                Ok(name)
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = match self.peek() {
            Token::End => "the end of the program".to_owned(),
            Token::Keyword(text) | Token::Symbol(text) => format!("`{text}`"),
            Token::Name(name) => format!("`{name}`"),
            Token::Int(_) | Token::Float(_) => "a number".to_owned(),
            Token::Str(_) => "a string".to_owned(),
        };
        Error::new(self.line(), format!("expected {expected}, found {found}"))
    }

    /// Items with commas between them up to `end`; a comma after the last one is allowed.
    fn separated<T>(
        &mut self,
        end: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        while !self.next_is_symbol(end) {
            items.push(item(self)?);
            if !self.next_is_symbol(",") {
                self.expect_symbol(end)?;
                break;
            }
        }
        Ok(items)
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.nesting == MAX_NESTING {
            return Err(Error::new(self.line(), format!("nested deeper than {MAX_NESTING}")));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }
}

/// Statements.
impl Parser {
    fn statement(&mut self) -> Result<Stmt, Error> {
        let line = self.line();
        let kind = match *self.peek() {
            Token::Keyword("let") => self.let_statement()?,
            Token::Keyword("if") => self.if_statement()?,
            Token::Keyword("while") => self.while_statement()?,
            Token::Keyword("for") => self.for_statement()?,
            Token::Keyword("fn") => self.function()?,
            Token::Keyword("return") => self.return_statement()?,
            Token::Keyword("break") => self.bare_statement(StmtKind::Break)?,
            Token::Keyword("continue") => self.bare_statement(StmtKind::Continue)?,
            _ => self.assignment_or_call()?,
        };
        Ok(Stmt { kind, line })
    }

    fn block(&mut self) -> Result<Vec<Stmt>, Error> {
        self.nested(|parser| {
            parser.expect_symbol("{")?;
            let mut statements = Vec::new();
            while !parser.next_is_symbol("}") {
                statements.push(parser.statement()?);
            }
            Ok(statements)
        })
    }

    fn let_statement(&mut self) -> Result<StmtKind, Error> {
        self.advance();
        let name = self.expect_name()?;
        self.expect_symbol("=")?;
        let value = self.expression()?;
        self.expect_symbol(";")?;
        Ok(StmtKind::Let(name, value))
    }

    fn if_statement(&mut self) -> Result<StmtKind, Error> {
        self.advance();
        let condition = self.expression()?;
        let then = self.block()?;
        let mut otherwise = Vec::new();
        if self.next_is_keyword("else") {
            if *self.peek() == Token::Keyword("if") {
                otherwise.push(self.nested(Self::statement)?);
            } else {
                otherwise = self.block()?;
            }
        }
        Ok(StmtKind::If(condition, then, otherwise))
    }

    fn while_statement(&mut self) -> Result<StmtKind, Error> {
        self.advance();
        let condition = self.expression()?;
        Ok(StmtKind::While(condition, self.block()?))
    }

    fn for_statement(&mut self) -> Result<StmtKind, Error> {
        self.advance();
        let name = self.expect_name()?;
        if !self.next_is_keyword("in") {
            return Err(self.unexpected("`in`"));
        }
        let low = self.expression()?;
        self.expect_symbol("..")?;
        let high = self.expression()?;
        Ok(StmtKind::For(name, low, high, self.block()?))
    }

    fn function(&mut self) -> Result<StmtKind, Error> {
        self.advance();
        let name = self.expect_name()?;
        self.expect_symbol("(")?;
        let parameters = self.separated(")", Self::expect_name)?;
        Ok(StmtKind::Function(name, parameters, self.block()?))
    }

    fn return_statement(&mut self) -> Result<StmtKind, Error> {
        self.advance();
        if self.next_is_symbol(";") {
            return Ok(StmtKind::Return(None));
        }
        let value = self.expression()?;
        self.expect_symbol(";")?;
        Ok(StmtKind::Return(Some(value)))
    }

    fn bare_statement(&mut self, kind: StmtKind) -> Result<StmtKind, Error> {
        self.advance();
        self.expect_symbol(";")?;
        Ok(kind)
    }

    fn assignment_or_call(&mut self) -> Result<StmtKind, Error> {
        let line = self.line();
        let target = self.expression()?;
        let kind = if self.next_is_symbol("=") {
            let value = self.expression()?;
            match target.kind {
                ExprKind::Name(name) => StmtKind::Assign(name, value),
                ExprKind::Index(container, index) => StmtKind::AssignIndex(*container, *index, value),
                _ => return Err(Error::new(line, "only a variable or an element can be assigned to")),
            }
        } else {
            StmtKind::Expr(target)
        };
        self.expect_symbol(";")?;
        Ok(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::BinaryOp;

    #[test]
    fn products_bind_tighter_than_sums() {
        let [Stmt {
            kind: StmtKind::Let(_, sum),
            ..
        }] = &parse("let x = 1 + 2 * 3;").unwrap()[..]
        else {
            panic!("one let statement expected")
        };
        assert!(matches!(&sum.kind, ExprKind::Binary(BinaryOp::Add, _, right)
            if matches!(right.kind, ExprKind::Binary(BinaryOp::Multiply, _, _))));
    }

    #[test]
    fn an_error_names_what_was_expected_and_found() {
        let error = parse("let x = 1;\nlet = 2;").unwrap_err();
        assert_eq!(error.to_string(), "line 2: expected a name, found `=`");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = format!("print({}1{});", "(".repeat(5000), ")".repeat(5000));
        assert!(parse(&text).unwrap_err().message.starts_with("nested deeper"));
    }
}
