//! Tree -> bytecode, with every name resolved to a register or a slot.

mod expressions;

use std::collections::HashMap;
use std::mem;

use crate::ast::{Expr, ExprKind, Stmt, StmtKind};
use crate::builtins::Builtin;
use crate::bytecode::{Function, Op, Operand, Program, Register, Target};
use crate::error::Error;
use crate::value::Value;

/// Compile a program.
///
/// # Errors
///
/// A name that means nothing, a statement where it cannot stand, or a function that is too large.
pub fn compile(statements: &[Stmt]) -> Result<Program, Error> {
    let mut compiler = Compiler::default();
    compiler.functions.push(Function::default());
    compiler.declare_functions(statements)?;
    compiler.body.function.name = "the program".to_owned();
    for statement in statements {
        compiler.statement(statement)?;
    }
    let last_line = statements.last().map_or(1, |statement| statement.line);
    compiler.functions[0] = compiler.finish_body(Body::default(), last_line)?;
    Ok(Program {
        functions: compiler.functions,
        globals: compiler.globals.len(),
    })
}

#[derive(Default)]
struct Compiler {
    functions: Vec<Function>,
    function_numbers: HashMap<String, u32>,
    globals: HashMap<String, u16>,
    body: Body,
}

/// The function that is being compiled.
#[derive(Default)]
struct Body {
    function: Function,
    locals: Vec<(String, Register)>,
    /// The first register that holds nothing at this point.
    free: Register,
    loops: Vec<Loop>,
    depth: u32,
}

/// The jumps out of a loop whose targets are not known yet.
#[derive(Default)]
struct Loop {
    breaks: Vec<usize>,
    continues: Vec<usize>,
}

fn too_large(line: u32) -> Error {
    Error::new(line, "this function is too large")
}

/// Instructions, registers and constants.
impl Compiler {
    fn emit(&mut self, op: Op, line: u32) -> usize {
        let function = &mut self.body.function;
        function.code.push(op);
        function.lines.push(line);
        function.code.len() - 1
    }

    fn here(&self, line: u32) -> Result<Target, Error> {
        Target::try_from(self.body.function.code.len()).map_err(|_| too_large(line))
    }

    /// Let these jumps lead to the next instruction.
    fn land(&mut self, jumps: Vec<usize>, line: u32) -> Result<(), Error> {
        let here = self.here(line)?;
        for position in jumps {
            match &mut self.body.function.code[position] {
                Op::Jump(target)
                | Op::JumpIf(_, target)
                | Op::JumpUnless(_, target)
                | Op::JumpIfEqual(_, _, target)
                | Op::JumpUnlessEqual(_, _, target)
                | Op::JumpIfLess(_, _, target)
                | Op::JumpUnlessLess(_, _, target)
                | Op::JumpIfLessEqual(_, _, target)
                | Op::JumpUnlessLessEqual(_, _, target) => *target = here,
                other => unreachable!("{other:?} is no jump forward"),
            }
        }
        Ok(())
    }

    fn allocate(&mut self, line: u32) -> Result<Register, Error> {
        let register = self.body.free;
        Operand::register(register).ok_or_else(|| too_large(line))?;
        self.body.free += 1;
        let needed = &mut self.body.function.registers;
        *needed = (*needed).max(usize::from(self.body.free));
        Ok(register)
    }

    fn constant(&mut self, value: Value, line: u32) -> Result<Operand, Error> {
        let constants = &mut self.body.function.constants;
        let same = |known: &Value| known.kind() == value.kind() && *known == value;
        let number = constants.iter().position(same).unwrap_or(constants.len());
        if number == constants.len() {
            constants.push(value);
        }
        Operand::constant(number).ok_or_else(|| too_large(line))
    }

    fn finish_body(&mut self, outer: Body, line: u32) -> Result<Function, Error> {
        let nil = self.constant(Value::Nil, line)?;
        self.emit(Op::Return(nil), line);
        self.here(line)?;
        Ok(mem::replace(&mut self.body, outer).function)
    }
}

/// Statements.
impl Compiler {
    /// Give every function its number first, so that functions may call those that follow them.
    fn declare_functions(&mut self, statements: &[Stmt]) -> Result<(), Error> {
        for statement in statements {
            if let StmtKind::Function(name, ..) = &statement.kind {
                let number = u32::try_from(self.functions.len()).map_err(|_| too_large(statement.line))?;
                if self.function_numbers.insert(name.clone(), number).is_some() {
                    return Err(Error::new(statement.line, format!("function `{name}` exists already")));
                }
                self.functions.push(Function::default());
            }
        }
        Ok(())
    }

    fn block(&mut self, statements: &[Stmt]) -> Result<(), Error> {
        let (locals, free) = (self.body.locals.len(), self.body.free);
        self.body.depth += 1;
        for statement in statements {
            self.statement(statement)?;
        }
        self.body.depth -= 1;
        self.body.locals.truncate(locals);
        self.body.free = free;
        Ok(())
    }

    fn statement(&mut self, statement: &Stmt) -> Result<(), Error> {
        let line = statement.line;
        let free = self.body.free;
        match &statement.kind {
            // The one statement after which a register stays taken.
            StmtKind::Let(name, value) => return self.declaration(name, value, line),
            StmtKind::Assign(name, value) => self.assignment(name, value, line)?,
            StmtKind::AssignIndex(container, index, value) => {
                let container = self.operand(container)?;
                let index = self.operand(index)?;
                let value = self.operand(value)?;
                self.emit(Op::SetIndex(container, index, value), line);
            }
            StmtKind::If(condition, then, otherwise) => self.if_statement(condition, then, otherwise, line)?,
            StmtKind::While(condition, body) => self.while_statement(condition, body, line)?,
            StmtKind::For(name, low, high, body) => self.for_statement(name, low, high, body, line)?,
            StmtKind::Function(name, parameters, body) => self.function(name, parameters, body, line)?,
            StmtKind::Return(value) => {
                let value = match value {
                    Some(value) => self.operand(value)?,
                    None => self.constant(Value::Nil, line)?,
                };
                self.emit(Op::Return(value), line);
            }
            StmtKind::Break => self.leave_loop(|innermost| &mut innermost.breaks, line)?,
            StmtKind::Continue => self.leave_loop(|innermost| &mut innermost.continues, line)?,
            StmtKind::Expr(value) => {
                self.operand(value)?;
            }
        }
        self.body.free = free;
        Ok(())
    }

    fn declaration(&mut self, name: &str, value: &Expr, line: u32) -> Result<(), Error> {
        let free = self.body.free;
        if self.body.depth == 0 {
            let value = self.operand(value)?;
            let next = u16::try_from(self.globals.len()).map_err(|_| too_large(line))?;
            let slot = *self.globals.entry(name.to_owned()).or_insert(next);
            self.emit(Op::StoreGlobal(slot, value), line);
            self.body.free = free;
        } else {
            let register = self.allocate(line)?;
            self.compute(value, register)?;
            self.body.free = register + 1;
            self.body.locals.push((name.to_owned(), register));
        }
        Ok(())
    }

    fn assignment(&mut self, name: &str, value: &Expr, line: u32) -> Result<(), Error> {
        if let Some(register) = self.local(name) {
            return self.compute(value, register);
        }
        let Some(&slot) = self.globals.get(name) else {
            return Err(Error::new(line, format!("variable `{name}` does not exist")));
        };
        let value = self.operand(value)?;
        self.emit(Op::StoreGlobal(slot, value), line);
        Ok(())
    }

    fn if_statement(&mut self, condition: &Expr, then: &[Stmt], otherwise: &[Stmt], line: u32) -> Result<(), Error> {
        let to_else = self.jumps(condition, false)?;
        self.block(then)?;
        if otherwise.is_empty() {
            return self.land(to_else, line);
        }
        let to_end = self.emit(Op::Jump(0), line);
        self.land(to_else, line)?;
        self.block(otherwise)?;
        self.land(vec![to_end], line)
    }

    fn while_statement(&mut self, condition: &Expr, body: &[Stmt], line: u32) -> Result<(), Error> {
        let start = self.here(line)?;
        let to_end = self.jumps(condition, false)?;
        let finished = self.loop_body(body)?;
        self.land(finished.continues, line)?;
        self.emit(Op::Jump(start), line);
        self.land(to_end, line)?;
        self.land(finished.breaks, line)
    }

    /// The counter is a hidden register; the loop variable is a copy that the body may change.
    fn for_statement(&mut self, name: &str, low: &Expr, high: &Expr, body: &[Stmt], line: u32) -> Result<(), Error> {
        let [counter, limit, variable] = [self.allocate(line)?, self.allocate(line)?, self.allocate(line)?];
        self.compute(low, counter)?;
        self.compute(high, limit)?;
        let (from, limit) = (Operand::register(counter), Operand::register(limit));
        let (Some(from), Some(limit)) = (from, limit) else {
            return Err(too_large(line));
        };
        let to_end = self.emit(Op::JumpUnlessLess(from, limit, 0), line);
        let start = self.here(line)?;
        self.emit(Op::Move(variable, from), line);
        self.body.locals.push((name.to_owned(), variable));
        let finished = self.loop_body(body)?;
        self.body.locals.pop();
        self.land(finished.continues, line)?;
        self.emit(Op::NextInRange(counter, limit, start), line);
        self.land(vec![to_end], line)?;
        self.land(finished.breaks, line)
    }

    fn loop_body(&mut self, body: &[Stmt]) -> Result<Loop, Error> {
        self.body.loops.push(Loop::default());
        self.block(body)?;
        Ok(self.body.loops.pop().expect("the loop that was pushed above"))
    }

    fn leave_loop(&mut self, jumps: fn(&mut Loop) -> &mut Vec<usize>, line: u32) -> Result<(), Error> {
        let position = self.emit(Op::Jump(0), line);
        let Some(innermost) = self.body.loops.last_mut() else {
            return Err(Error::new(line, "there is no loop to leave or continue here"));
        };
        jumps(innermost).push(position);
        Ok(())
    }

    fn function(&mut self, name: &str, parameters: &[String], body: &[Stmt], line: u32) -> Result<(), Error> {
        if self.body.depth > 0 {
            return Err(Error::new(line, "functions stand outside of all blocks"));
        }
        let mut inner = Body {
            depth: 1,
            ..Body::default()
        };
        inner.function.name = name.to_owned();
        inner.function.arity = parameters.len();
        let outer = mem::replace(&mut self.body, inner);
        for parameter in parameters {
            let register = self.allocate(line)?;
            self.body.locals.push((parameter.clone(), register));
        }
        for statement in body {
            self.statement(statement)?;
        }
        let number = self.function_numbers[name];
        self.functions[number as usize] = self.finish_body(outer, line)?;
        Ok(())
    }
}

/// Names.
impl Compiler {
    fn local(&self, name: &str) -> Option<Register> {
        let found = self.body.locals.iter().rfind(|(local, _)| local == name);
        found.map(|&(_, register)| register)
    }

    /// A name as an operand, where it needs no instruction to be read.
    fn direct_name(&mut self, name: &str, line: u32) -> Result<Option<Operand>, Error> {
        if let Some(register) = self.local(name) {
            return Ok(Operand::register(register));
        }
        if self.globals.contains_key(name) {
            return Ok(None);
        }
        match self.function_numbers.get(name) {
            Some(&number) => self.constant(Value::Function(number), line).map(Some),
            None => Err(Error::new(line, format!("`{name}` does not exist"))),
        }
    }

    fn builtin(&self, callee: &Expr) -> Option<Builtin> {
        let ExprKind::Name(name) = &callee.kind else {
            return None;
        };
        let is_shadowed =
            self.local(name).is_some() || self.globals.contains_key(name) || self.function_numbers.contains_key(name);
        if is_shadowed {
            return None;
        }
        Builtin::named(name)
    }
}
