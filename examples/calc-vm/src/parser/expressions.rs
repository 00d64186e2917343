//! Expressions, from the loosest operators to the tightest.

use super::Parser;
use crate::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::error::Error;
use crate::lexer::Token;

impl Parser {
    pub(super) fn expression(&mut self) -> Result<Expr, Error> {
        self.nested(Self::disjunction)
    }

    fn disjunction(&mut self) -> Result<Expr, Error> {
        let mut left = self.conjunction()?;
        while *self.peek() == Token::Keyword("or") {
            let line = self.line();
            self.advance();
            let kind = ExprKind::Or(Box::new(left), Box::new(self.conjunction()?));
            left = Expr { kind, line };
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expr, Error> {
        let mut left = self.negation()?;
        while *self.peek() == Token::Keyword("and") {
            let line = self.line();
            self.advance();
            let kind = ExprKind::And(Box::new(left), Box::new(self.negation()?));
            left = Expr { kind, line };
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expr, Error> {
        let line = self.line();
        if self.next_is_keyword("not") {
            let kind = ExprKind::Unary(UnaryOp::Not, Box::new(self.nested(Self::negation)?));
            return Ok(Expr { kind, line });
        }
        self.binary(0)
    }

    /// Operators of at least this strength, by precedence climbing.
    fn binary(&mut self, weakest: u8) -> Result<Expr, Error> {
        let mut left = self.unary()?;
        while let Some((op, strength)) = binary_operator(self.peek()) {
            if strength < weakest {
                break;
            }
            let line = self.line();
            self.advance();
            let right = self.binary(strength + 1)?;
            let kind = ExprKind::Binary(op, Box::new(left), Box::new(right));
            left = Expr { kind, line };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Error> {
        let line = self.line();
        if self.next_is_symbol("-") {
            let kind = ExprKind::Unary(UnaryOp::Negate, Box::new(self.nested(Self::unary)?));
            return Ok(Expr { kind, line });
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Expr, Error> {
        let mut value = self.primary()?;
        loop {
            let line = self.line();
            let kind = if self.next_is_symbol("(") {
                ExprKind::Call(Box::new(value), self.separated(")", Self::expression)?)
            } else if self.next_is_symbol("[") {
                let index = self.expression()?;
                self.expect_symbol("]")?;
                ExprKind::Index(Box::new(value), Box::new(index))
            } else if self.next_is_symbol(".") {
                let kind = ExprKind::Str(self.expect_name()?);
                ExprKind::Index(Box::new(value), Box::new(Expr { kind, line }))
            } else {
                return Ok(value);
            };
            value = Expr { kind, line };
        }
    }

    fn primary(&mut self) -> Result<Expr, Error> {
        let line = self.line();
        let kind = match self.peek() {
            Token::Int(number) => ExprKind::Int(*number),
            Token::Float(number) => ExprKind::Float(*number),
            Token::Str(text) => ExprKind::Str(text.clone()),
            Token::Name(name) => ExprKind::Name(name.clone()),
            Token::Keyword("nil") => ExprKind::Nil,
            Token::Keyword("true") => ExprKind::Bool(true),
            Token::Keyword("false") => ExprKind::Bool(false),
            Token::Symbol("(") => return self.parenthesised(),
            Token::Symbol("[") => {
                self.advance();
                let kind = ExprKind::List(self.separated("]", Self::expression)?);
                return Ok(Expr { kind, line });
            }
            Token::Symbol("{") => {
                self.advance();
                let kind = ExprKind::Table(self.separated("}", Self::entry)?);
                return Ok(Expr { kind, line });
            }
            _ => return Err(self.unexpected("a value")),
        };
        self.advance();
        Ok(Expr { kind, line })
    }

    fn parenthesised(&mut self) -> Result<Expr, Error> {
        self.advance();
        let inner = self.expression()?;
        self.expect_symbol(")")?;
        Ok(inner)
    }

    /// An entry of a table: `name: value` or `"any text": value`.
    fn entry(&mut self) -> Result<(Expr, Expr), Error> {
        let line = self.line();
        let kind = match self.peek() {
            Token::Name(text) | Token::Str(text) => ExprKind::Str(text.clone()),
            Token::Int(number) => ExprKind::Int(*number),
            _ => return Err(self.unexpected("a key")),
        };
        self.advance();
        self.expect_symbol(":")?;
        Ok((Expr { kind, line }, self.expression()?))
    }
}

fn binary_operator(token: &Token) -> Option<(BinaryOp, u8)> {
    let Token::Symbol(symbol) = token else { return None };
    Some(match *symbol {
        "==" => (BinaryOp::Equal, 1),
        "!=" => (BinaryOp::NotEqual, 1),
        "<" => (BinaryOp::Less, 2),
        "<=" => (BinaryOp::LessEqual, 2),
        ">" => (BinaryOp::Greater, 2),
        ">=" => (BinaryOp::GreaterEqual, 2),
        "+" => (BinaryOp::Add, 3),
        "-" => (BinaryOp::Subtract, 3),
        "*" => (BinaryOp::Multiply, 4),
        "/" => (BinaryOp::Divide, 4),
        "%" => (BinaryOp::Remainder, 4),
        _ => return None,
    })
}
