//! Runs the instructions of a pickle.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::tensor::pickle::node::{Id, Node, Storage, Tensor, of_name, of_storage};
use crate::tensor::pickle::opcodes as op;

/// Why a pickle cannot be read.
type Reason = &'static str;

const CUT: Reason = "the pickle ends within an instruction";
const EMPTY: Reason = "the pickle takes more objects than it has built";

/// A machine that has run a pickle.
pub(super) struct Machine<'p> {
    rest: &'p [u8],
    nodes: Vec<Node<'p>>,
    stack: Vec<Id>,
    /// Lengths of the stack at its marks.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl<'p> Machine<'p> {
    /// Runs all instructions of a pickle.
    ///
    /// Takes memory in proportion to the pickle: each instruction adds at most one object.
    pub(super) fn run(pickle: &'p [u8]) -> Result<Self, Reason> {
        let mut machine = Self {
            rest: pickle,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
        };
        loop {
            match machine.byte()? {
                op::STOP => return Ok(machine),
                opcode => machine.step(opcode)?,
            }
        }
    }

    /// Returns the number of objects.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the object that the pickle represents.
    pub(super) fn root(&self) -> Option<Id> {
        self.stack.last().copied()
    }

    /// Returns an object.
    pub(super) fn node(&self, id: Id) -> &Node<'p> {
        &self.nodes[id]
    }

    fn step(&mut self, opcode: u8) -> Result<(), Reason> {
        match opcode {
            op::PROTO => self.take(1).map(drop),
            op::FRAME => self.take(8).map(drop),
            op::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::POP => self.pop().map(drop),
            op::POP_MARK => self.pop_mark().map(drop),
            op::DUP => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            op::BINPUT => {
                let at = self.byte()?.into();
                self.put(at)
            }
            op::LONG_BINPUT => {
                let at = self.u32()?;
                self.put(at)
            }
            op::MEMOIZE => self.put(self.memo.len() as u32),
            op::BINGET => {
                let at = self.byte()?.into();
                self.get(at)
            }
            op::LONG_BINGET => {
                let at = self.u32()?;
                self.get(at)
            }
            op::APPEND | op::APPENDS | op::SETITEM | op::SETITEMS | op::ADDITEMS | op::BUILD => {
                self.extend(opcode)
            }
            _ => {
                let node = self.build(opcode)?;
                self.push(node);
                Ok(())
            }
        }
    }

    /// Returns the object that an instruction builds.
    fn build(&mut self, opcode: u8) -> Result<Node<'p>, Reason> {
        Ok(match opcode {
            op::NONE | op::NEWTRUE | op::NEWFALSE | op::EMPTY_SET => Node::Other,
            op::BINFLOAT => self.skip(8)?,
            op::BININT1 => Node::Int(self.byte()?.into()),
            op::BININT2 => Node::Int(self.number(2)?),
            op::BININT | op::LONG1 => self.signed(opcode)?,
            op::SHORT_BINSTRING | op::SHORT_BINBYTES => {
                let len = self.number(1)?;
                self.skip(len)?
            }
            op::BINSTRING | op::BINBYTES => {
                let len = self.number(4)?;
                self.skip(len)?
            }
            op::BINBYTES8 => {
                let len = self.number(8)?;
                self.skip(len)?
            }
            op::SHORT_BINUNICODE => self.text(1)?,
            op::BINUNICODE => self.text(4)?,
            op::BINUNICODE8 => self.text(8)?,
            op::GLOBAL => Node::Global(self.line()?, self.line()?),
            op::STACK_GLOBAL => self.stack_global()?,
            op::EMPTY_TUPLE => Node::Tuple(Vec::new()),
            op::TUPLE1 => Node::Tuple(self.pop_many(1)?),
            op::TUPLE2 => Node::Tuple(self.pop_many(2)?),
            op::TUPLE3 => Node::Tuple(self.pop_many(3)?),
            op::TUPLE => Node::Tuple(self.pop_mark()?),
            op::EMPTY_LIST => Node::List(Vec::new()),
            op::LIST => Node::List(self.pop_mark()?),
            op::EMPTY_DICT => Node::Dict(Vec::new()),
            op::DICT => Node::Dict(pairs(&self.pop_mark()?).collect()),
            op::BINPERSID => {
                let id = self.pop()?;
                self.storage(id).map_or(Node::Other, Node::Storage)
            }
            op::REDUCE => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.call(function, arguments)
            }
            op::NEWOBJ | op::NEWOBJ_EX => {
                let count = if opcode == op::NEWOBJ { 2 } else { 3 };
                self.pop_many(count)?;
                Node::Dict(Vec::new())
            }
            _ => return Err("the pickle has an instruction that PyTorch does not write"),
        })
    }

    /// Adds objects to the list, the dictionary or the object below them.
    fn extend(&mut self, opcode: u8) -> Result<(), Reason> {
        let added = match opcode {
            op::APPEND | op::BUILD => self.pop_many(1)?,
            op::SETITEM => self.pop_many(2)?,
            _ => self.pop_mark()?,
        };
        let target = self.top()?;
        match (&mut self.nodes[target], opcode) {
            (Node::List(items), op::APPEND | op::APPENDS) => items.extend(added),
            (Node::Dict(items), op::SETITEM | op::SETITEMS) => items.extend(pairs(&added)),
            (Node::Dict(items), op::BUILD) => items.extend(added.iter().map(|&id| (None, id))),
            _ => {}
        }
        Ok(())
    }

    /// Returns what a function returns, if it rebuilds a tensor or creates a dictionary.
    fn call(&self, function: Id, arguments: Id) -> Node<'p> {
        let (mut function, mut arguments) = (function, arguments);
        // A tensor of a derived class contains the call that rebuilds the tensor.
        if let (Node::Global("torch._tensor", "_rebuild_from_type_v2"), Node::Tuple(parts)) =
            (self.node(function), self.node(arguments))
            && let &[inner, _, inner_arguments, ..] = &parts[..]
        {
            (function, arguments) = (inner, inner_arguments);
        }
        let (Node::Global(module, name), Node::Tuple(arguments)) =
            (self.node(function), self.node(arguments))
        else {
            return Node::Dict(Vec::new());
        };
        let rebuilt = match (*module, *name) {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3") => {
                self.tensor(arguments).map(Node::Tensor)
            }
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                let tensor = arguments.first().map(|&tensor| self.node(tensor));
                tensor.filter(|node| matches!(node, Node::Tensor(_))).cloned()
            }
            _ => None,
        };
        // The state or the items of any other object follow.
        rebuilt.unwrap_or(Node::Dict(Vec::new()))
    }

    /// Returns the storage that a persistent id refers to.
    fn storage(&self, id: Id) -> Option<Storage<'p>> {
        let Node::Tuple(parts) = self.node(id) else { return None };
        let &[kind, class, key, ..] = &parts[..] else { return None };
        match (self.node(kind), self.node(class), self.node(key)) {
            (Node::Text("storage"), Node::Global(_, class), Node::Text(key)) => {
                Some(Storage { key, dtype: of_storage(class)? })
            }
            _ => None,
        }
    }

    /// Returns the tensor that a function rebuilds from a storage, an offset, a shape and strides.
    fn tensor(&self, arguments: &[Id]) -> Option<Tensor<'p>> {
        /// Number of the argument that is the type of the elements.
        const DTYPE: usize = 6;
        let &[storage, offset, shape, strides, ..] = arguments else { return None };
        let (&Node::Storage(storage), &Node::Int(offset)) = (self.node(storage), self.node(offset))
        else {
            return None;
        };
        let named = arguments.get(DTYPE).and_then(|&dtype| match self.node(dtype) {
            Node::Global("torch", name) => of_name(name),
            _ => None,
        });
        let dtype = named.or(storage.dtype)?;
        let (shape, strides) = (self.numbers(shape)?, self.numbers(strides)?);
        let is_contiguous = is_contiguous(&shape, &strides);
        Some(Tensor { key: storage.key, dtype, offset, shape, is_contiguous })
    }

    /// Returns the numbers of a shape, which several tensors can share: each copy takes memory.
    fn numbers(&self, tuple: Id) -> Option<Vec<u64>> {
        /// Maximum number of dimensions.
        const MAX_DIMENSIONS: usize = 16;
        let Node::Tuple(parts) = self.node(tuple) else { return None };
        if parts.len() > MAX_DIMENSIONS {
            return None;
        }
        let number = |&part: &Id| match self.node(part) {
            &Node::Int(number) => Some(number),
            _ => None,
        };
        parts.iter().map(number).collect()
    }

    fn push(&mut self, node: Node<'p>) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn top(&self) -> Result<Id, Reason> {
        self.stack.last().copied().ok_or(EMPTY)
    }

    fn pop(&mut self) -> Result<Id, Reason> {
        self.stack.pop().ok_or(EMPTY)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, Reason> {
        let start = self.stack.len().checked_sub(count).ok_or(EMPTY)?;
        Ok(self.stack.split_off(start))
    }

    /// Returns the objects above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Id>, Reason> {
        let mark = self.marks.pop().ok_or(EMPTY)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn put(&mut self, at: u32) -> Result<(), Reason> {
        self.memo.insert(at, self.top()?);
        Ok(())
    }

    fn get(&mut self, at: u32) -> Result<(), Reason> {
        let id =
            self.memo.get(&at).ok_or("the pickle refers to an object that it has not built")?;
        self.stack.push(*id);
        Ok(())
    }

    fn take(&mut self, len: u64) -> Result<&'p [u8], Reason> {
        let len = usize::try_from(len).map_err(|_| CUT)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(CUT)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Reason> {
        self.take(1).map(|taken| taken[0])
    }

    /// Returns a number of up to eight bytes.
    fn number(&mut self, len: u64) -> Result<u64, Reason> {
        let mut bytes = [0; 8];
        let taken = self.take(len)?;
        bytes[..taken.len()].copy_from_slice(taken);
        Ok(u64::from_le_bytes(bytes))
    }

    fn u32(&mut self) -> Result<u32, Reason> {
        self.number(4).map(|number| number as u32)
    }

    /// Returns a number with a sign. Negative numbers and long ones describe no tensor.
    fn signed(&mut self, opcode: u8) -> Result<Node<'p>, Reason> {
        let len = if opcode == op::LONG1 { self.byte()?.into() } else { 4 };
        if len > 8 {
            return self.skip(len);
        }
        let number = self.number(len)?;
        let is_negative = len > 0 && number >> (8 * len - 1) == 1;
        Ok(if is_negative { Node::Other } else { Node::Int(number) })
    }

    fn skip(&mut self, len: u64) -> Result<Node<'p>, Reason> {
        self.take(len).map(|_| Node::Other)
    }

    fn text(&mut self, len_bytes: u64) -> Result<Node<'p>, Reason> {
        let len = self.number(len_bytes)?;
        let text = core::str::from_utf8(self.take(len)?);
        Ok(text.map_or(Node::Other, Node::Text))
    }

    fn line(&mut self) -> Result<&'p str, Reason> {
        let len = self.rest.iter().position(|&byte| byte == b'\n').ok_or(CUT)?;
        let line = self.take(len as u64 + 1)?;
        core::str::from_utf8(&line[..len]).map_err(|_| "a name in the pickle is not UTF-8")
    }

    fn stack_global(&mut self) -> Result<Node<'p>, Reason> {
        let (name, module) = (self.pop()?, self.pop()?);
        Ok(match (self.node(module), self.node(name)) {
            (Node::Text(module), Node::Text(name)) => Node::Global(module, name),
            _ => Node::Other,
        })
    }
}

/// Returns keys with their values.
fn pairs(items: &[Id]) -> impl Iterator<Item = (Option<Id>, Id)> {
    items.as_chunks().0.iter().map(|&[key, value]| (Some(key), value))
}

/// Returns whether elements follow one another, outermost dimension first. Strides of dimensions
/// with one element do not matter.
fn is_contiguous(shape: &[u64], strides: &[u64]) -> bool {
    let mut expected = 1_u64;
    let dims = shape.iter().zip(strides).rev();
    let is_dense = dims.into_iter().all(|(&len, &stride)| {
        let is_dense = len == 1 || stride == expected;
        expected = expected.saturating_mul(len);
        is_dense
    });
    shape.len() == strides.len() && (is_dense || shape.contains(&0))
}
