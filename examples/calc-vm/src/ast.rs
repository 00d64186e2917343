//! The tree of a program.

/// An expression and the line of its operator or first token.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// The line that errors name.
    pub line: u32,
}

/// The kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `nil`
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// `42`
    Int(i64),
    /// `4.2`
    Float(f64),
    /// `"text"`
    Str(String),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `{key: a, "other key": b}`
    Table(Vec<(Expr, Expr)>),
    /// A variable or function.
    Name(String),
    /// `-a`, `not a`
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a and b`: the right side is computed only when the left one is true.
    And(Box<Expr>, Box<Expr>),
    /// `a or b`: the right side is computed only when the left one is false.
    Or(Box<Expr>, Box<Expr>),
    /// `container[index]`, `container.name`
    Index(Box<Expr>, Box<Expr>),
    /// `callee(arguments)`
    Call(Box<Expr>, Vec<Expr>),
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `not`
    Not,
}

/// Operators with two operands that are always computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`: numbers, strings, lists
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`: between integers without remainder
    Divide,
    /// `%`: has the sign of the left operand
    Remainder,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl BinaryOp {
    /// Is the result a truth value?
    pub fn is_comparison(self) -> bool {
        !matches!(
            self,
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Remainder
        )
    }
}

/// A statement and its first line.
#[derive(Debug, Clone, PartialEq)]
pub struct Stmt {
    /// What it does.
    pub kind: StmtKind,
    /// The line that errors name.
    pub line: u32,
}

/// The kinds of statements.
#[derive(Debug, Clone, PartialEq)]
pub enum StmtKind {
    /// `let name = value;`
    Let(String, Expr),
    /// `name = value;`
    Assign(String, Expr),
    /// `container[index] = value;`
    AssignIndex(Expr, Expr, Expr),
    /// `if condition { … } else { … }`
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// `while condition { … }`
    While(Expr, Vec<Stmt>),
    /// `for name in low..high { … }`
    For(String, Expr, Expr, Vec<Stmt>),
    /// `fn name(parameters) { … }`
    Function(String, Vec<String>, Vec<Stmt>),
    /// `return value;`
    Return(Option<Expr>),
    /// `break;`
    Break,
    /// `continue;`
    Continue,
    /// `call(…);`
    Expr(Expr),
}
