//! What the compiler makes and the machine runs: instructions over registers, eight bytes each.

use crate::builtins::Builtin;
use crate::value::Value;

/// A register of the running function: a variable or an intermediate result.
pub type Register = u16;

/// The position of an instruction in its function.
pub type Target = u16;

/// What an instruction reads: a register, or a constant of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand(i16);

impl Operand {
    /// The operand that is this register, if there can be so many.
    pub fn register(register: Register) -> Option<Self> {
        i16::try_from(register).ok().map(Self)
    }

    /// The operand that is the constant of this number, if there can be so many.
    pub fn constant(number: usize) -> Option<Self> {
        i16::try_from(number).ok().map(|number| Self(!number))
    }

    /// Look the value up.
    pub fn value<'v>(self, registers: &'v [Value], constants: &'v [Value]) -> &'v Value {
        match usize::try_from(self.0) {
            Ok(register) => &registers[register],
            Err(_) => &constants[usize::from((!self.0).unsigned_abs())],
        }
    }
}

/// One instruction; those with three fields write the first and read the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Copy a value.
    Move(Register, Operand),
    /// Read a global variable.
    LoadGlobal(Register, u16),
    /// Set a global variable.
    StoreGlobal(u16, Operand),
    /// `a + b`
    Add(Register, Operand, Operand),
    /// `a - b`
    Subtract(Register, Operand, Operand),
    /// `a * b`
    Multiply(Register, Operand, Operand),
    /// `a / b`
    Divide(Register, Operand, Operand),
    /// `a % b`
    Remainder(Register, Operand, Operand),
    /// `a == b`
    Equal(Register, Operand, Operand),
    /// `a != b`
    NotEqual(Register, Operand, Operand),
    /// `a < b`
    Less(Register, Operand, Operand),
    /// `a <= b`
    LessEqual(Register, Operand, Operand),
    /// `-a`
    Negate(Register, Operand),
    /// `not a`
    Not(Register, Operand),
    /// Go on elsewhere. The following ones do so under a condition.
    Jump(Target),
    /// `a` is neither false nor nil.
    JumpIf(Operand, Target),
    /// `a` is false or nil.
    JumpUnless(Operand, Target),
    /// `a == b`
    JumpIfEqual(Operand, Operand, Target),
    /// `not (a == b)`
    JumpUnlessEqual(Operand, Operand, Target),
    /// `a < b`
    JumpIfLess(Operand, Operand, Target),
    /// `not (a < b)`, which is not `a >= b` where one is not a number.
    JumpUnlessLess(Operand, Operand, Target),
    /// `a <= b`
    JumpIfLessEqual(Operand, Operand, Target),
    /// `not (a <= b)`
    JumpUnlessLessEqual(Operand, Operand, Target),
    /// Add one to the counter and go back while it stays below the limit.
    NextInRange(Register, Operand, Target),
    /// Make a list of that many registers, from the second field on.
    List(Register, Register, u16),
    /// Make a table of that many pairs of registers, from the second field on.
    Table(Register, Register, u16),
    /// `a[b]`
    Index(Register, Operand, Operand),
    /// `a[b] = c`
    SetIndex(Operand, Operand, Operand),
    /// Call the function in the second field; that many arguments follow it.
    Call(Register, Register, u8),
    /// Call a built-in function; its arguments begin at the second field.
    CallBuiltin(Builtin, u8, Register, Register),
    /// Leave the function with a value.
    Return(Operand),
}

/// A compiled function.
#[derive(Debug, Default)]
pub struct Function {
    /// For error messages.
    pub name: String,
    /// How many arguments it takes; they are its first registers.
    pub arity: usize,
    /// How many registers it needs.
    pub registers: usize,
    /// Its instructions.
    pub code: Vec<Op>,
    /// The line of each instruction.
    pub lines: Vec<u32>,
    /// Its literals.
    pub constants: Vec<Value>,
}

/// A compiled program; its first function is the text outside of all functions.
#[derive(Debug)]
pub struct Program {
    /// All functions.
    pub functions: Vec<Function>,
    /// How many global variables there are.
    pub globals: usize,
}
