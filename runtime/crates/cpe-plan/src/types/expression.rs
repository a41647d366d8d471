//! What an expression of a template comes to, as far as that follows from its form.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Filter, UnaryOpKind};
use serde_json::Value;

use super::{
    shape::{Member, Shape, What},
    view::Kinds,
};
use crate::error::nearest;

/// What names stand for in a template.
#[derive(Debug, Default)]
pub(super) struct Names<'s> {
    known: BTreeMap<String, Shape<'s>>,
}

impl<'s> Names<'s> {
    pub(super) fn set(&mut self, name: impl Into<String>, shape: Shape<'s>) {
        self.known.insert(name.into(), shape);
    }
}

/// A key that is not where it is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Absent {
    /// The byte of the template.
    pub(super) at: usize,
    /// Whether it cannot be there.
    pub(super) certain: bool,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Works expressions out, and notes what they look for in vain.
#[derive(Debug)]
pub(super) struct Expressions<'n, 's> {
    names: &'n Names<'s>,
    /// Names that the template gives a meaning of its own.
    own: BTreeSet<String>,
    pub(super) absent: Vec<Absent>,
}

impl<'n, 's> Expressions<'n, 's> {
    pub(super) fn new(names: &'n Names<'s>, own: BTreeSet<String>) -> Self {
        Self { names, own, absent: Vec::new() }
    }

    /// What is printed of an expression. What it takes must be there, since nothing that is
    /// undefined can be printed.
    pub(super) fn printed(&mut self, expression: &Expr<'_>) -> Shape<'s> {
        let at = offset(expression);
        let shape = match expression {
            // Its text is JSON, and is printed as it is.
            Expr::Filter(filter) if filter.name == "tojson" => match &filter.expr {
                Some(inner) => return self.printed(inner),
                None => Shape::unknown(),
            },
            Expr::GetAttr(_) | Expr::GetItem(_) => self.path(expression, true),
            other => self.shape(other),
        };
        shape.placed(at)
    }

    fn shape(&mut self, expression: &Expr<'_>) -> Shape<'s> {
        match expression {
            Expr::Var(name) if self.own.contains(name.id) => Shape::unknown(),
            Expr::Var(name) => {
                self.names.known.get(name.id).cloned().unwrap_or_else(Shape::unknown)
            }
            Expr::Const(constant) => match serde_json::to_value(&constant.value) {
                Ok(value) => Shape::literal(&value),
                Err(_) => Shape::unknown(),
            },
            Expr::GetAttr(_) | Expr::GetItem(_) => self.path(expression, false),
            Expr::List(list) => {
                let items = list.items.iter().map(|item| self.printed(item)).collect();
                Shape::new(What::List { items, open: false })
            }
            Expr::Map(map) => self.object(&map.keys, &map.values),
            Expr::Compare(_) | Expr::Test(_) => Shape::of(Kinds::BOOLEAN),
            Expr::UnaryOp(operation) => match operation.op {
                UnaryOpKind::Not => Shape::of(Kinds::BOOLEAN),
                UnaryOpKind::Neg => Shape::of(Kinds::NUMBER),
            },
            Expr::BinOp(operation) => Shape::of(of_operation(operation.op)),
            Expr::IfExpr(either) => match &either.false_expr {
                Some(other) => {
                    let all = vec![self.shape(&either.true_expr), self.shape(other)];
                    Shape::either(all)
                }
                None => Shape::unknown(),
            },
            Expr::Filter(filter) => self.filtered(filter),
            Expr::Slice(_) | Expr::Call(_) | Expr::Tuple(_) => Shape::unknown(),
        }
    }

    fn object(&mut self, keys: &[Expr<'_>], values: &[Expr<'_>]) -> Shape<'s> {
        let (mut members, mut open) = (Vec::new(), false);
        for (key, value) in keys.iter().zip(values) {
            match text(key) {
                Some(key) => members.push((key, self.printed(value))),
                None => open = true,
            }
        }
        Shape::new(What::Object { members, open })
    }

    /// `a.b`, `a['b']`, `a[0]`. `strict`: whether it must be there.
    fn path(&mut self, expression: &Expr<'_>, strict: bool) -> Shape<'s> {
        let (inner, key) = match expression {
            Expr::GetAttr(get) => (&get.expr, Some(get.name.to_owned())),
            Expr::GetItem(get) => {
                if let Expr::Const(constant) = &get.subscript_expr
                    && let Some(index) = constant.value.as_usize()
                {
                    return self.path(&get.expr, strict).item(Some(index));
                }
                (&get.expr, text(&get.subscript_expr))
            }
            other => return self.shape(other),
        };
        let holder = self.path(inner, strict);
        let Some(key) = key else { return holder.item(None) };
        let (certain, there) = match holder.member(&key) {
            Member::Known(shape) => return shape,
            Member::Missing(there) => (true, there),
            Member::Unnamed(there) => (false, there),
        };
        if strict {
            self.is_absent(expression, inner, (&key, certain), &there);
        }
        Shape::unknown()
    }

    fn is_absent(
        &mut self,
        whole: &Expr<'_>,
        holder: &Expr<'_>,
        (key, certain): (&str, bool),
        there: &[String],
    ) {
        let near = nearest(key, there.iter().map(String::as_str));
        // A schema need not name every key.
        if !certain && near.is_none() {
            return;
        }
        let holder = written(holder);
        let message = match certain {
            true => format!("`{holder}` has no `{key}`"),
            false => format!("`{holder}` may have no `{key}`: nothing is said of it"),
        };
        let hint = near.map(|near| format!("did you mean `{near}`?")).or_else(|| {
            let list: Vec<_> = there.iter().take(20).map(String::as_str).collect();
            Some(if list.is_empty() {
                format!("`{holder}` has no keys: an activity offers what its `outputs_spec` names")
            } else {
                format!("known are: {}", list.join(", "))
            })
        });
        let absent = Absent { at: offset(whole), certain, message, hint };
        if !self.absent.contains(&absent) {
            self.absent.push(absent);
        }
    }

    fn filtered(&mut self, filter: &Filter<'_>) -> Shape<'s> {
        let Some(inner) = &filter.expr else { return Shape::unknown() };
        match filter.name {
            "default" | "d" => match filter.args.first() {
                Some(CallArg::Pos(other)) => {
                    let all = vec![self.shape(inner), self.shape(other)];
                    Shape::either(all)
                }
                _ => Shape::unknown(),
            },
            "length" | "count" | "int" => Shape::of(Kinds::INTEGER),
            "float" => Shape::of(Kinds::NUMBER),
            "bool" => Shape::of(Kinds::BOOLEAN),
            "upper" | "lower" | "title" | "capitalize" | "trim" | "replace" | "join" | "string"
            | "format" | "tojson" => Shape::of(Kinds::TEXT),
            "list" | "sort" | "unique" | "map" | "select" | "reject" | "selectattr"
            | "rejectattr" | "items" | "lines" | "split" | "batch" | "zip" => {
                Shape::of(Kinds::LIST)
            }
            "first" | "last" => self.shape(inner).item(None),
            _ => Shape::unknown(),
        }
    }
}

fn of_operation(operation: BinOpKind) -> Kinds {
    match operation {
        BinOpKind::Eq
        | BinOpKind::Ne
        | BinOpKind::Lt
        | BinOpKind::Lte
        | BinOpKind::Gt
        | BinOpKind::Gte
        | BinOpKind::In => Kinds::BOOLEAN,
        BinOpKind::Concat => Kinds::TEXT,
        BinOpKind::Sub | BinOpKind::Div | BinOpKind::FloorDiv | BinOpKind::Rem | BinOpKind::Pow => {
            Kinds::NUMBER
        }
        // Of texts and lists, too; and what one of both is.
        BinOpKind::Add | BinOpKind::Mul | BinOpKind::ScAnd | BinOpKind::ScOr => Kinds::ALL,
    }
}

fn text(expression: &Expr<'_>) -> Option<String> {
    match expression {
        Expr::Const(constant) => constant.value.as_str().map(str::to_owned),
        _ => None,
    }
}

/// The path as a person would write it.
fn written(expression: &Expr<'_>) -> String {
    match expression {
        Expr::Var(name) => name.id.to_owned(),
        Expr::GetAttr(get) => format!("{}.{}", written(&get.expr), get.name),
        Expr::GetItem(get) => {
            let subscript = match &get.subscript_expr {
                Expr::Const(constant) => {
                    serde_json::to_value(&constant.value).unwrap_or(Value::Null).to_string()
                }
                _ => "…".to_owned(),
            };
            format!("{}[{}]", written(&get.expr), subscript.replace('"', "'"))
        }
        _ => "…".to_owned(),
    }
}

fn offset(expression: &Expr<'_>) -> usize {
    // The span of `a.b` begins at its last part, where it does not begin at its first.
    match expression {
        Expr::GetAttr(get) => offset(&get.expr).min(start(expression)),
        Expr::GetItem(get) => offset(&get.expr).min(start(expression)),
        Expr::Filter(filter) => {
            filter.expr.as_ref().map_or(start(expression), |e| offset(e).min(start(expression)))
        }
        _ => start(expression),
    }
}

fn start(expression: &Expr<'_>) -> usize {
    usize::try_from(expression.span().start_offset).unwrap_or(0)
}
