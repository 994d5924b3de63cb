//! Pure: stacks as a tree, in which each frame has the bytes of all that went through it.

use std::collections::BTreeMap;

use zcprof_common::vocabulary::{Disposition, Hop};

use super::carriers::lacks_name;
use super::record::{Frame, FrameKind, Stack, Stacks};

/// What a node of the tree stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// Everything.
    All,
    /// Who is charged.
    Charged(String),
    /// A frame of the stack.
    Frame(Frame),
    /// Where the bytes went, and what happened to them: the end of every stack.
    Place(Hop, Disposition),
}

/// A node, with the bytes of all below it.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it stands for.
    pub label: Label,
    /// Steps from the root.
    pub depth: usize,
    /// The nodes below it, by their places in the tree: those with most bytes first.
    pub children: Vec<usize>,
    /// Bytes by hop and disposition. Their sum is exact: 2^64 stacks of 2^64 bytes fit.
    pub by: BTreeMap<(Hop, Disposition), u128>,
}

/// The tree. Its root is its first node, and a parent stands before its children.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Every node.
    pub nodes: Vec<Node>,
}

impl Node {
    fn new(label: Label, depth: usize) -> Self {
        Self { label, depth, children: Vec::new(), by: BTreeMap::new() }
    }

    /// All bytes that went through it.
    #[must_use]
    pub fn bytes(&self) -> u128 {
        self.by.values().sum()
    }

    /// Bytes of it that were copied, now or later; the others were handed over or filled in.
    #[must_use]
    pub fn copied(&self) -> u128 {
        let copied = self.by.iter().filter(|((_, disposition), _)| is_copied(*disposition));
        copied.map(|(_, bytes)| bytes).sum()
    }
}

/// Whether the CPU wrote the bytes anew somewhere.
#[must_use]
pub const fn is_copied(disposition: Disposition) -> bool {
    match disposition {
        Disposition::Copied
        | Disposition::Deferred
        | Disposition::Bounced
        | Disposition::Transformed
        | Disposition::Aside => true,
        Disposition::Moved | Disposition::Pinned | Disposition::Filled => false,
    }
}

/// The frame that stands for stacks that are lost.
#[must_use]
pub fn lost() -> Frame {
    Frame { kind: FrameKind::Missing, name: "stack lost".to_owned(), file: String::new() }
}

/// What stacks lack some of whose code no symbol names.
pub const NO_NAME: &str = "no name";

/// What a stack lacks; none if it is whole, and every function of the program's own has its name.
#[must_use]
pub fn lacks(stacks: &Stacks, stack: &Stack) -> Option<String> {
    let gone = frames(stacks, stack).find(|frame| frame.kind == FrameKind::Missing);
    let is_named = || !frames(stacks, stack).any(|frame| lacks_name(&frame));
    gone.map(|gone| gone.name).or_else(|| (!is_named()).then(|| NO_NAME.to_owned()))
}

/// Bytes by what is missing from their stacks, the most first.
#[must_use]
pub fn missing(stacks: &Stacks) -> Vec<(String, u128)> {
    let mut by_name = BTreeMap::<String, u128>::new();
    for stack in &stacks.stacks {
        if let Some(gone) = lacks(stacks, stack) {
            *by_name.entry(gone).or_default() += u128::from(stack.bytes);
        }
    }
    for gone in &stacks.lost {
        *by_name.entry(lost().name).or_default() += u128::from(gone.bytes);
    }
    let mut all: Vec<_> = by_name.into_iter().filter(|(_, bytes)| *bytes > 0).collect();
    all.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    all
}

/// The frames of a stack, the outermost first. One that the record lacks is said.
pub fn frames<'a>(stacks: &'a Stacks, stack: &'a Stack) -> impl Iterator<Item = Frame> + 'a {
    stack.frames.iter().map(|at| {
        let known = usize::try_from(*at).ok().and_then(|at| stacks.frames.get(at));
        known.cloned().unwrap_or_else(|| Frame {
            kind: FrameKind::Missing,
            name: "frame not in the record".to_owned(),
            file: String::new(),
        })
    })
}

/// Every way from the root to a place with its bytes, as the record has them; what is lost comes last.
pub fn ways(stacks: &Stacks) -> impl Iterator<Item = (Vec<Label>, (Hop, Disposition), u64)> + '_ {
    let known = stacks.stacks.iter().map(|stack| {
        let mut way = vec![Label::Charged(stack.charged.to_string())];
        way.extend(frames(stacks, stack).map(Label::Frame));
        way.push(Label::Place(stack.hop, stack.disposition));
        (way, (stack.hop, stack.disposition), stack.bytes)
    });
    let lost = stacks.lost.iter().map(|gone| {
        let place = (gone.hop, gone.disposition);
        (vec![Label::Frame(lost()), Label::Place(place.0, place.1)], place, gone.bytes)
    });
    known.chain(lost).filter(|(_, _, bytes)| *bytes > 0)
}

impl Tree {
    /// The stacks of a record, and what it lost, as a tree.
    #[must_use]
    pub fn of(stacks: &Stacks) -> Self {
        let mut tree = Self { nodes: vec![Node::new(Label::All, 0)] };
        let mut known = BTreeMap::<(usize, Label), usize>::new();
        for (way, place, bytes) in ways(stacks) {
            let mut at = 0;
            *tree.nodes[0].by.entry(place).or_default() += u128::from(bytes);
            for label in way {
                let next = tree.nodes.len();
                let child = *known.entry((at, label.clone())).or_insert(next);
                if child == next {
                    let depth = tree.nodes[at].depth + 1;
                    tree.nodes.push(Node::new(label, depth));
                    tree.nodes[at].children.push(child);
                }
                *tree.nodes[child].by.entry(place).or_default() += u128::from(bytes);
                at = child;
            }
        }
        tree.sort();
        tree
    }

    fn sort(&mut self) {
        let sizes: Vec<u128> = self.nodes.iter().map(Node::bytes).collect();
        let labels: Vec<Label> = self.nodes.iter().map(|node| node.label.clone()).collect();
        for node in &mut self.nodes {
            node.children.sort_by(|a, b| {
                sizes[*b].cmp(&sizes[*a]).then_with(|| labels[*a].cmp(&labels[*b]))
            });
        }
    }

    /// Everything.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.nodes[0]
    }

    /// Bytes whose way is not wholly known: lost, cut, without names or without a sender.
    #[must_use]
    pub fn incomplete(stacks: &Stacks) -> u128 {
        missing(stacks).into_iter().map(|(_, bytes)| bytes).sum()
    }
}
