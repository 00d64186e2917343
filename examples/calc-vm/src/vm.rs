//! The machine: registers on a stack, and a loop that carries out one instruction after the other.

use std::cmp::Ordering;
use std::io::Write;

use crate::arithmetic;
use crate::bytecode::{Function, Op, Operand, Program, Register, Target};
use crate::error::{Error, Fault};
use crate::table::{Key, Table};
use crate::value::Value;

/// How deep functions may call one another.
const MAX_CALLS: usize = 10_000;

/// A machine with a program.
pub struct Vm<'p> {
    program: &'p Program,
    output: &'p mut dyn Write,
    /// Ends with the registers of the running function.
    stack: Vec<Value>,
    globals: Vec<Value>,
    callers: Vec<Frame<'p>>,
    frame: Frame<'p>,
}

/// A function that is being run.
#[derive(Clone, Copy)]
struct Frame<'p> {
    function: &'p Function,
    /// The next instruction.
    next: usize,
    /// Where on the stack its registers begin.
    base: usize,
    /// Which of the caller's registers waits for its value.
    result: Register,
}

impl<'p> Vm<'p> {
    /// Make a machine that has run nothing yet.
    pub fn new(program: &'p Program, output: &'p mut dyn Write) -> Self {
        let function = &program.functions[0];
        Self {
            program,
            output,
            stack: vec![Value::Nil; function.registers],
            globals: vec![Value::Nil; program.globals],
            callers: Vec::new(),
            frame: Frame {
                function,
                next: 0,
                base: 0,
                result: 0,
            },
        }
    }

    /// Run the program to its end.
    ///
    /// # Errors
    ///
    /// An operation failed; the error names its line.
    pub fn run(&mut self) -> Result<(), Error> {
        self.dispatch().map_err(|fault| {
            let line = self.frame.function.lines[self.frame.next - 1];
            Error::new(line, fault.to_string())
        })
    }

    fn dispatch(&mut self) -> Result<(), Fault> {
        loop {
            let op = self.frame.function.code[self.frame.next];
            self.frame.next += 1;
            match op {
                Op::Move(to, from) => self.set(to, self.value(from).clone()),
                Op::LoadGlobal(to, slot) => self.set(to, self.globals[usize::from(slot)].clone()),
                Op::StoreGlobal(slot, from) => self.globals[usize::from(slot)] = self.value(from).clone(),
                Op::Add(to, left, right) => self.set(to, arithmetic::add(self.value(left), self.value(right))?),
                Op::Subtract(to, left, right) => {
                    self.set(to, arithmetic::subtract(self.value(left), self.value(right))?);
                }
                Op::Multiply(to, left, right) => {
                    self.set(to, arithmetic::multiply(self.value(left), self.value(right))?);
                }
                Op::Divide(to, left, right) => self.set(to, arithmetic::divide(self.value(left), self.value(right))?),
                Op::Remainder(to, left, right) => {
                    self.set(to, arithmetic::remainder(self.value(left), self.value(right))?);
                }
                Op::Equal(to, left, right) => self.set(to, Value::Bool(self.value(left) == self.value(right))),
                Op::NotEqual(to, left, right) => self.set(to, Value::Bool(self.value(left) != self.value(right))),
                Op::Less(to, left, right) => self.set(to, Value::Bool(self.is_less(left, right)?)),
                Op::LessEqual(to, left, right) => self.set(to, Value::Bool(self.is_less_or_equal(left, right)?)),
                Op::Negate(to, from) => self.set(to, arithmetic::negate(self.value(from))?),
                Op::Not(to, from) => self.set(to, Value::Bool(!self.value(from).is_true())),
                Op::Jump(target) => self.frame.next = usize::from(target),
                Op::JumpIf(value, target) => self.jump_if(self.value(value).is_true(), target),
                Op::JumpUnless(value, target) => self.jump_if(!self.value(value).is_true(), target),
                Op::JumpIfEqual(left, right, target) => self.jump_if(self.value(left) == self.value(right), target),
                Op::JumpUnlessEqual(left, right, target) => {
                    self.jump_if(self.value(left) != self.value(right), target);
                }
                Op::JumpIfLess(left, right, target) => self.jump_if(self.is_less(left, right)?, target),
                Op::JumpUnlessLess(left, right, target) => self.jump_if(!self.is_less(left, right)?, target),
                Op::JumpIfLessEqual(left, right, target) => {
                    self.jump_if(self.is_less_or_equal(left, right)?, target);
                }
                Op::JumpUnlessLessEqual(left, right, target) => {
                    self.jump_if(!self.is_less_or_equal(left, right)?, target);
                }
                Op::NextInRange(counter, limit, target) => {
                    let next = arithmetic::add(self.register(counter), &Value::Int(1))?;
                    let goes_on = arithmetic::compare(&next, self.value(limit))?.is_some_and(Ordering::is_lt);
                    self.set(counter, next);
                    self.jump_if(goes_on, target);
                }
                Op::List(to, first, count) => {
                    let items = self.row(first, usize::from(count)).to_vec();
                    self.set(to, Value::list(items));
                }
                Op::Table(to, first, count) => {
                    let table = table_of(self.row(first, 2 * usize::from(count)))?;
                    self.set(to, Value::table(table));
                }
                Op::Index(to, container, index) => self.set(to, element(self.value(container), self.value(index))?),
                Op::SetIndex(container, index, value) => {
                    set_element(self.value(container), self.value(index), self.value(value).clone())?;
                }
                Op::Call(to, first, count) => self.call(to, first, usize::from(count))?,
                Op::CallBuiltin(builtin, count, to, first) => {
                    let from = self.frame.base + usize::from(first);
                    let arguments = &self.stack[from..from + usize::from(count)];
                    let value = builtin.call(arguments, self.output)?;
                    self.set(to, value);
                }
                Op::Return(from) => {
                    let value = self.value(from).clone();
                    let result = self.frame.result;
                    let Some(caller) = self.callers.pop() else {
                        return Ok(());
                    };
                    self.stack.resize(caller.base + caller.function.registers, Value::Nil);
                    self.frame = caller;
                    self.set(result, value);
                }
            }
        }
    }

    fn register(&self, register: Register) -> &Value {
        &self.stack[self.frame.base + usize::from(register)]
    }

    /// Registers that follow one another.
    fn row(&self, first: Register, count: usize) -> &[Value] {
        let from = self.frame.base + usize::from(first);
        &self.stack[from..from + count]
    }

    fn value(&self, operand: Operand) -> &Value {
        operand.value(&self.stack[self.frame.base..], &self.frame.function.constants)
    }

    fn set(&mut self, register: Register, value: Value) {
        let index = self.frame.base + usize::from(register);
        self.stack[index] = value;
    }

    fn is_less(&self, left: Operand, right: Operand) -> Result<bool, Fault> {
        let order = arithmetic::compare(self.value(left), self.value(right))?;
        Ok(order.is_some_and(Ordering::is_lt))
    }

    fn is_less_or_equal(&self, left: Operand, right: Operand) -> Result<bool, Fault> {
        let order = arithmetic::compare(self.value(left), self.value(right))?;
        Ok(order.is_some_and(Ordering::is_le))
    }

    fn jump_if(&mut self, condition: bool, target: Target) {
        if condition {
            self.frame.next = usize::from(target);
        }
    }

    fn call(&mut self, result: Register, first: Register, count: usize) -> Result<(), Fault> {
        let Value::Function(number) = *self.register(first) else {
            return Err(Fault::Operand("call", self.register(first).kind()));
        };
        let function = &self.program.functions[number as usize];
        if function.arity != count {
            return Err(Fault::Arity(function.name.clone(), function.arity, count));
        }
        if self.callers.len() == MAX_CALLS {
            return Err(Fault::TooDeep(MAX_CALLS));
        }
        // The arguments become the first registers of the function.
        let base = self.frame.base + usize::from(first) + 1;
        self.stack.resize(base + function.registers, Value::Nil);
        self.callers.push(self.frame);
        self.frame = Frame {
            function,
            next: 0,
            base,
            result,
        };
        Ok(())
    }
}

fn table_of(pairs: &[Value]) -> Result<Table, Fault> {
    let entries = pairs.chunks_exact(2);
    entries
        .map(|pair| Ok((Key::from_value(&pair[0])?, pair[1].clone())))
        .collect()
}

fn set_element(container: &Value, index: &Value, value: Value) -> Result<(), Fault> {
    match (container, index) {
        (Value::List(items), Value::Int(index)) => {
            let mut items = items.borrow_mut();
            let length = items.len();
            match usize::try_from(*index).ok().and_then(|index| items.get_mut(index)) {
                Some(item) => *item = value,
                None => return Err(Fault::OutOfBounds(*index, length)),
            }
        }
        (Value::Table(table), index) => {
            table.borrow_mut().insert(Key::from_value(index)?, value);
        }
        _ => return Err(Fault::Index(container.kind(), index.kind())),
    }
    Ok(())
}

fn element(container: &Value, index: &Value) -> Result<Value, Fault> {
    match (container, index) {
        (Value::List(items), Value::Int(index)) => {
            let items = items.borrow();
            let found = usize::try_from(*index).ok().and_then(|index| items.get(index));
            found.cloned().ok_or(Fault::OutOfBounds(*index, items.len()))
        }
        (Value::Table(table), index) => {
            let found = table.borrow().get(&Key::from_value(index)?).cloned();
            found.ok_or_else(|| Fault::NoSuchKey(index.to_string()))
        }
        _ => Err(Fault::Index(container.kind(), index.kind())),
    }
}

#[cfg(test)]
mod tests {
    use crate::run;

    fn printed(source: &str) -> String {
        let mut output = Vec::new();
        run(source, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    fn failure(source: &str) -> String {
        run(source, &mut Vec::new()).unwrap_err().to_string()
    }

    #[test]
    fn functions_call_themselves_and_those_that_follow() {
        let source = "
            fn is_even(n) { if n == 0 { return true; } return is_odd(n - 1); }
            fn is_odd(n) { if n == 0 { return false; } return is_even(n - 1); }
            print(is_even(10), is_odd(10));";
        assert_eq!(printed(source), "true false\n");
    }

    #[test]
    fn loops_can_be_left_and_continued_with_locals_on_the_stack() {
        let source = "
            fn odd_sum(limit) {
                let sum = 0;
                for i in 0..1000 {
                    let twice = i * 2;
                    if i == limit { let unused = twice; break; }
                    if i % 2 == 0 { continue; }
                    sum = sum + i;
                }
                let rest = 0;
                while true { rest = rest + 1; if rest == 3 { break; } }
                return sum * 10 + rest;
            }
            print(odd_sum(10));";
        assert_eq!(printed(source), "253\n");
    }

    #[test]
    fn a_call_keeps_the_variables_of_its_caller() {
        let source = "
            fn small() { return 1; }
            fn large() {
                let early = small();
                let a = 1; let b = 2; let c = 3; let d = [a, b, c, small()];
                return early + a + b + c + d[3];
            }
            print(small() + large());";
        assert_eq!(printed(source), "9\n");
    }

    #[test]
    fn lists_are_shared_and_tables_keep_sorted_keys() {
        let source = r#"
            let a = [1, 2];
            let b = a;
            push(b, 3);
            let t = {pear: 1, "apple": 2};
            t.fig = t.pear + 2;
            print(a, len(b), join(keys(t), " "), t["fig"], find(t, "kiwi", 0));"#;
        assert_eq!(printed(source), "[1, 2, 3] 3 apple fig pear 3 0\n");
    }

    #[test]
    fn the_right_side_is_computed_only_where_it_decides() {
        assert_eq!(
            printed("print(false and 1 / 0, 2 or 1 / 0, not nil);"),
            "false 2 true\n"
        );
    }

    #[test]
    fn a_failure_names_its_line() {
        assert_eq!(failure("let a = [1];\nprint(a[1]);"), "line 2: index 1 is outside 0..1");
        assert_eq!(
            failure("fn f(a) { return a; }\n\nf();"),
            "line 3: f takes 1 arguments, 0 given"
        );
        assert_eq!(failure("let t = {};\nt.x;"), "line 2: the table has no key x");
    }

    #[test]
    fn endless_recursion_is_stopped() {
        assert_eq!(
            failure("fn f() { return f(); }\nf();"),
            "line 1: more than 10000 nested calls"
        );
    }
}
