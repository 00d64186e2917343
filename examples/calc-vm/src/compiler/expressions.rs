//! Expressions and conditions.

use super::{too_large, Compiler};
use crate::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::bytecode::{Op, Operand, Register};
use crate::error::Error;
use crate::value::Value;

impl Compiler {
    /// Compute a value and say where it is: variables and literals stay where they are.
    pub(super) fn operand(&mut self, expression: &Expr) -> Result<Operand, Error> {
        let line = expression.line;
        if let Some(operand) = self.direct(expression)? {
            return Ok(operand);
        }
        let register = self.allocate(line)?;
        self.compute(expression, register)?;
        Operand::register(register).ok_or_else(|| too_large(line))
    }

    /// The operand of an expression that needs no instruction.
    fn direct(&mut self, expression: &Expr) -> Result<Option<Operand>, Error> {
        let value = match &expression.kind {
            ExprKind::Nil => Value::Nil,
            ExprKind::Bool(value) => Value::Bool(*value),
            ExprKind::Int(number) => Value::Int(*number),
            ExprKind::Float(number) => Value::Float(*number),
            ExprKind::Str(text) => Value::Str(text.as_str().into()),
            ExprKind::Name(name) => return self.direct_name(name, expression.line),
            _ => return Ok(None),
        };
        self.constant(value, expression.line).map(Some)
    }

    /// Compute a value into a register. It is written by the last instruction, so that `x = y - x` is right.
    pub(super) fn compute(&mut self, expression: &Expr, to: Register) -> Result<(), Error> {
        let line = expression.line;
        let free = self.body.free;
        if let Some(operand) = self.direct(expression)? {
            self.emit(Op::Move(to, operand), line);
            return Ok(());
        }
        let op = match &expression.kind {
            ExprKind::Name(name) => Op::LoadGlobal(to, self.globals[name]),
            ExprKind::List(items) => {
                let first = self.in_a_row(items.iter())?;
                Op::List(to, first, count(items.len(), line)?)
            }
            ExprKind::Table(entries) => {
                let first = self.in_a_row(entries.iter().flat_map(|(key, value)| [key, value]))?;
                Op::Table(to, first, count(entries.len(), line)?)
            }
            ExprKind::Unary(op, value) => {
                let value = self.operand(value)?;
                match op {
                    UnaryOp::Negate => Op::Negate(to, value),
                    UnaryOp::Not => Op::Not(to, value),
                }
            }
            ExprKind::Binary(op, left, right) => binary(*op, to, self.operand(left)?, self.operand(right)?),
            ExprKind::Index(container, index) => Op::Index(to, self.operand(container)?, self.operand(index)?),
            ExprKind::And(left, right) => self.short_circuit(left, right, false, to)?,
            ExprKind::Or(left, right) => self.short_circuit(left, right, true, to)?,
            ExprKind::Call(callee, arguments) => self.call(callee, arguments, to)?,
            other => unreachable!("{other:?} needs no instruction"),
        };
        self.emit(op, line);
        self.body.free = free;
        Ok(())
    }

    /// Compute values into registers that follow one another; the first one's number.
    fn in_a_row<'e>(&mut self, expressions: impl Iterator<Item = &'e Expr>) -> Result<Register, Error> {
        let first = self.body.free;
        for expression in expressions {
            let register = self.allocate(expression.line)?;
            self.compute(expression, register)?;
        }
        Ok(first)
    }

    /// The left value where its truth is `decisive`, else the right one.
    fn short_circuit(&mut self, left: &Expr, right: &Expr, decisive: bool, to: Register) -> Result<Op, Error> {
        let line = left.line;
        let register = self.allocate(line)?;
        let value = Operand::register(register).ok_or_else(|| too_large(line))?;
        self.compute(left, register)?;
        let jump = self.emit(jump_on(value, decisive), line);
        self.compute(right, register)?;
        self.land(vec![jump], line)?;
        Ok(Op::Move(to, value))
    }

    fn call(&mut self, callee: &Expr, arguments: &[Expr], to: Register) -> Result<Op, Error> {
        let line = callee.line;
        let given = u8::try_from(arguments.len()).map_err(|_| Error::new(line, "more than 255 arguments"))?;
        if let Some(builtin) = self.builtin(callee) {
            return Ok(Op::CallBuiltin(builtin, given, to, self.in_a_row(arguments.iter())?));
        }
        let first = self.in_a_row(std::iter::once(callee).chain(arguments))?;
        Ok(Op::Call(to, first, given))
    }

    /// Jumps, still without target, that are taken where the truth of a condition is `wanted`.
    pub(super) fn jumps(&mut self, condition: &Expr, wanted: bool) -> Result<Vec<usize>, Error> {
        let free = self.body.free;
        let line = condition.line;
        let jumps = match &condition.kind {
            ExprKind::Unary(UnaryOp::Not, inner) => self.jumps(inner, !wanted)?,
            ExprKind::And(left, right) => self.jumps_of_both(left, right, false, wanted)?,
            ExprKind::Or(left, right) => self.jumps_of_both(left, right, true, wanted)?,
            ExprKind::Binary(op, left, right) if op.is_comparison() => {
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                vec![self.emit(comparing_jump(*op, left, right, wanted), line)]
            }
            _ => {
                let value = self.operand(condition)?;
                vec![self.emit(jump_on(value, wanted), line)]
            }
        };
        self.body.free = free;
        Ok(jumps)
    }

    fn jumps_of_both(&mut self, left: &Expr, right: &Expr, decisive: bool, wanted: bool) -> Result<Vec<usize>, Error> {
        if wanted == decisive {
            let mut jumps = self.jumps(left, wanted)?;
            jumps.extend(self.jumps(right, wanted)?);
            return Ok(jumps);
        }
        let decided = self.jumps(left, decisive)?;
        let jumps = self.jumps(right, wanted)?;
        self.land(decided, right.line)?;
        Ok(jumps)
    }
}

fn count(items: usize, line: u32) -> Result<u16, Error> {
    u16::try_from(items).map_err(|_| too_large(line))
}

fn jump_on(value: Operand, wanted: bool) -> Op {
    if wanted {
        Op::JumpIf(value, 0)
    } else {
        Op::JumpUnless(value, 0)
    }
}

fn comparing_jump(op: BinaryOp, left: Operand, right: Operand, wanted: bool) -> Op {
    match (op, wanted) {
        (BinaryOp::Equal, true) | (BinaryOp::NotEqual, false) => Op::JumpIfEqual(left, right, 0),
        (BinaryOp::Equal, false) | (BinaryOp::NotEqual, true) => Op::JumpUnlessEqual(left, right, 0),
        (BinaryOp::Less, true) => Op::JumpIfLess(left, right, 0),
        (BinaryOp::Less, false) => Op::JumpUnlessLess(left, right, 0),
        (BinaryOp::Greater, true) => Op::JumpIfLess(right, left, 0),
        (BinaryOp::Greater, false) => Op::JumpUnlessLess(right, left, 0),
        (BinaryOp::LessEqual, true) => Op::JumpIfLessEqual(left, right, 0),
        (BinaryOp::LessEqual, false) => Op::JumpUnlessLessEqual(left, right, 0),
        (BinaryOp::GreaterEqual, true) => Op::JumpIfLessEqual(right, left, 0),
        (BinaryOp::GreaterEqual, false) => Op::JumpUnlessLessEqual(right, left, 0),
        (other, _) => unreachable!("{other:?} compares nothing"),
    }
}

fn binary(op: BinaryOp, to: Register, left: Operand, right: Operand) -> Op {
    match op {
        BinaryOp::Add => Op::Add(to, left, right),
        BinaryOp::Subtract => Op::Subtract(to, left, right),
        BinaryOp::Multiply => Op::Multiply(to, left, right),
        BinaryOp::Divide => Op::Divide(to, left, right),
        BinaryOp::Remainder => Op::Remainder(to, left, right),
        BinaryOp::Equal => Op::Equal(to, left, right),
        BinaryOp::NotEqual => Op::NotEqual(to, left, right),
        BinaryOp::Less => Op::Less(to, left, right),
        BinaryOp::Greater => Op::Less(to, right, left),
        BinaryOp::LessEqual => Op::LessEqual(to, left, right),
        BinaryOp::GreaterEqual => Op::LessEqual(to, right, left),
    }
}
