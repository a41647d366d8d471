//! Message moves: a dead-letter queue's messages go back to where they came from, or elsewhere.
//!
//! SQS calls a move a message move task. It goes by itself, in steps that the clock fires, and
//! each step is written, so that after a restart it goes on where it was. A moved message is a
//! new one: it has another number and id, and nobody received it yet.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use cpe_swf::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    Sqs,
    fault::{SqsFault, SqsFaultKind},
    names::{MessageNo, QueueId, QueueName},
    queue::{Message, MessageState},
    write::Write,
};

/// Moves of one source that are remembered, the last ones.
pub(crate) const MOVES: usize = 10;
pub(crate) const RATES: std::ops::RangeInclusive<u32> = 1..=500;

/// Messages of one step where no rate was asked for.
const STEP: u32 = 500;
/// Steps in a second at most, where one was.
const STEPS_A_SECOND: u32 = 10;
/// A step that is later than this is made up for no more.
const LATE: Duration = Duration::from_secs(1);
/// Messages that are moved before others get their turn.
const AT_ONCE: u32 = 1_000;

const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";
const NO_SOURCE: &str = "CouldNotDetermineMessageSource";

/// Names a move of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MoveId(pub(crate) String);

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MoveRequest {
    pub(crate) id: MoveId,
    pub(crate) source: QueueName,
    /// Where each message came from if `None`.
    pub(crate) destination: Option<QueueName>,
    /// Messages a second.
    pub(crate) rate: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageMove {
    /// Counts the moves of its source.
    pub(crate) no: i64,
    pub(crate) id: MoveId,
    pub(crate) destination: Option<QueueName>,
    pub(crate) rate: Option<u32>,
    pub(crate) started: Timestamp,
    /// The messages that were there when it started. It moves no more than that, or messages that
    /// come back at once would never let it end.
    pub(crate) to_move: u64,
    pub(crate) moved: u64,
    pub(crate) progress: Progress,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Its next step is then.
    Running(Timestamp),
    /// It ends with its next step, which is due.
    Canceling(Timestamp),
    Completed,
    Canceled,
    Failed(String),
}

impl Progress {
    /// As SQS writes it, which is not as SWF does.
    pub(crate) fn status(&self) -> &'static str {
        match self {
            Self::Running(_) => "RUNNING",
            Self::Canceling(_) => "CANCELLING",
            Self::Completed => "COMPLETED",
            Self::Canceled => "CANCELLED",
            Self::Failed(_) => "FAILED",
        }
    }

    pub(crate) fn next_step(&self) -> Option<Timestamp> {
        match self {
            Self::Running(at) | Self::Canceling(at) => Some(*at),
            Self::Completed | Self::Canceled | Self::Failed(_) => None,
        }
    }
}

/// The moves of all sources.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Oldest first. Of each source only the last one may be active.
    of: HashMap<QueueId, VecDeque<MessageMove>>,
    due: BTreeSet<(Timestamp, QueueId)>,
}

impl Moves {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the newest move of a source in. Answers the number of one that it drives out.
    pub(super) fn add(&mut self, source: QueueId, added: MessageMove) -> Option<i64> {
        self.due.extend(added.progress.next_step().map(|at| (at, source)));
        let moves = self.of.entry(source).or_default();
        moves.push_back(added);
        if moves.len() > MOVES { moves.pop_front().map(|old| old.no) } else { None }
    }

    /// Forgets a source that is no more.
    pub(super) fn forget(&mut self, source: QueueId) {
        let last = self.of.remove(&source).and_then(|mut moves| moves.pop_back());
        if let Some(at) = last.and_then(|last| last.progress.next_step()) {
            self.due.remove(&(at, source));
        }
    }

    fn last(&self, source: QueueId) -> Option<&MessageMove> {
        self.of.get(&source)?.back()
    }

    /// Changes the last move of a source, and keeps its deadline in step.
    fn update(&mut self, source: QueueId, changed: MessageMove) {
        let Some(last) = self.of.get_mut(&source).and_then(VecDeque::back_mut) else { return };
        if let Some(at) = last.progress.next_step() {
            self.due.remove(&(at, source));
        }
        self.due.extend(changed.progress.next_step().map(|at| (at, source)));
        *last = changed;
    }
}

impl MessageMove {
    fn step(&self) -> u32 {
        self.rate.map_or(STEP, |rate| (rate / STEPS_A_SECOND).max(1))
    }

    /// The time between two steps: never so short that the rate is exceeded.
    fn period(&self) -> Duration {
        let millis = self.rate.map_or(1, |rate| (self.step() * 1_000).div_ceil(rate.max(1)));
        Duration::from_millis(u64::from(millis))
    }
}

impl Sqs {
    /// Starts to move a dead-letter queue's messages.
    pub(crate) fn start_move(
        &mut self,
        now: Timestamp,
        request: MoveRequest,
    ) -> Result<(), SqsFault> {
        let source = self.queue_of_arn("SourceArn", &request.source)?;
        if self.sources_of(&request.source)?.is_empty() {
            return Err(SqsFault::invalid(
                "Source queue must be configured as a Dead Letter Queue.",
            ));
        }
        if let Some(destination) = &request.destination {
            self.queue_of_arn("DestinationArn", destination)?;
            if *destination == request.source {
                return Err(SqsFault::invalid("Source and destination must be different queues."));
            }
            if destination.is_fifo() != request.source.is_fifo() {
                return Err(SqsFault::invalid(
                    "Source and destination must be of the same kind: both FIFO or both standard.",
                ));
            }
        }
        let last = self.moves.last(source);
        if last.is_some_and(|last| last.progress.next_step().is_some()) {
            return Err(SqsFault::invalid(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
            ));
        }
        let waiting = self.queues.get(&source).map_or(0, |queue| queue.counts().visible);
        let mut started = MessageMove {
            no: last.map_or(1, |last| last.no + 1),
            id: request.id,
            destination: request.destination,
            rate: request.rate,
            started: now,
            to_move: u64::try_from(waiting).unwrap_or(u64::MAX),
            moved: 0,
            progress: Progress::Running(now),
        };
        if started.rate.is_some() {
            started.progress = Progress::Running(now + started.period());
        }
        self.writes.push(Write::MessageMove { queue: source, made: started.clone() });
        if let Some(no) = self.moves.add(source, started) {
            self.writes.push(Write::ForgetMove { queue: source, no });
        }
        Ok(())
    }

    /// Ends a move. Answers how many messages it moved; those stay where they are.
    pub(crate) fn cancel_move(
        &mut self,
        now: Timestamp,
        source: &QueueName,
        id: &MoveId,
    ) -> Result<u64, SqsFault> {
        let source = self.queue_of_arn("SourceArn", source)?;
        let known = self.moves.of.get(&source).into_iter().flatten().find(|known| known.id == *id);
        let known = known
            .ok_or_else(|| SqsFault::new(SqsFaultKind::ResourceNotFound, "Task does not exist."))?;
        if !matches!(known.progress, Progress::Running(_)) {
            return Err(SqsFault::new(
                SqsFaultKind::UnsupportedOperation,
                format!(
                    "Only a running task can be cancelled; this one is {}.",
                    known.progress.status()
                ),
            ));
        }
        let (moved, progress) = (known.moved, Progress::Canceling(now));
        self.change_move(source, MessageMove { progress, ..known.clone() });
        Ok(moved)
    }

    /// The last moves of a source, newest first.
    pub(crate) fn list_moves(
        &self,
        source: &QueueName,
        most: usize,
    ) -> Result<Vec<MessageMove>, SqsFault> {
        let source = self.queue_of_arn("SourceArn", source)?;
        let moves = self.moves.of.get(&source).into_iter().flatten();
        Ok(moves.rev().take(most).cloned().collect())
    }

    fn queue_of_arn(&self, parameter: &str, name: &QueueName) -> Result<QueueId, SqsFault> {
        self.names.get(name).copied().ok_or_else(|| no_such_resource(parameter))
    }

    fn change_move(&mut self, source: QueueId, changed: MessageMove) {
        self.writes.push(Write::MessageMove { queue: source, made: changed.clone() });
        self.moves.update(source, changed);
    }

    /// Does the steps that are due, and leaves what is too much at once for the next time.
    pub(super) fn fire_moves(&mut self, now: Timestamp) {
        let mut left = AT_ONCE;
        while left > 0
            && let Some(&(at, source)) = self.moves.due.first()
            && at <= now
        {
            self.moves.due.pop_first();
            let Some(made) = self.moves.last(source).cloned() else { continue };
            let step = made.step();
            // As of then, not of now: so the pace does not depend on when this was noticed. But
            // what a stopped endpoint missed does not come in one burst: somebody chose the rate
            // so that the receivers can follow.
            let at = if now.since(at) > LATE { now } else { at };
            let changed = self.move_step(at, source, made);
            self.change_move(source, changed);
            left = left.saturating_sub(step);
        }
    }

    fn move_step(&mut self, at: Timestamp, source: QueueId, mut made: MessageMove) -> MessageMove {
        if matches!(made.progress, Progress::Canceling(_)) {
            made.progress = Progress::Canceled;
            return made;
        }
        made.progress = Progress::Running(at + made.period());
        for _ in 0..made.step() {
            if made.moved >= made.to_move {
                break;
            }
            match self.move_one(at, source, &made) {
                Ok(true) => made.moved += 1,
                Ok(false) => {
                    made.progress = Progress::Completed;
                    return made;
                }
                Err(reason) => {
                    made.progress = Progress::Failed(reason.to_owned());
                    return made;
                }
            }
        }
        if made.moved >= made.to_move {
            made.progress = Progress::Completed;
        }
        made
    }

    /// Moves the next message. Answers whether there was one, or why it cannot be moved.
    fn move_one(
        &mut self,
        at: Timestamp,
        source: QueueId,
        made: &MessageMove,
    ) -> Result<bool, &'static str> {
        let queue = self.queues.get_mut(&source).ok_or(NO_QUEUE)?;
        let Some(no) = queue.next_visible() else { return Ok(false) };
        let came_from = queue.message(no).and_then(|message| message.source.clone());
        let target = made.destination.clone().or(came_from).ok_or(NO_SOURCE)?;
        let target = *self.names.get(&target).ok_or(NO_QUEUE)?;
        let Some(Message { group, .. }) = queue.remove(no) else { return Ok(false) };
        let delay =
            self.queues.get(&target).map_or(Duration::ZERO, |queue| queue.attributes.delay());
        let message = Message {
            state: if delay.is_zero() {
                MessageState::Visible(at)
            } else {
                MessageState::Delayed(at + delay)
            },
            group,
            ..Message::new(at)
        };
        let new_no = self.next_message_no();
        self.writes.push(Write::MoveBack {
            no,
            new_no,
            queue: target,
            message: message.clone(),
            message_id: message_id(&made.id, new_no),
        });
        self.note_expiry(source);
        self.put(target, new_no, message);
        Ok(true)
    }
}

pub(crate) fn no_such_resource(parameter: &str) -> SqsFault {
    SqsFault::new(
        SqsFaultKind::ResourceNotFound,
        format!("The resource that you specified for the {parameter} parameter doesn't exist."),
    )
}

/// A message's new id. It only has to be unlike all others, and the machine has no chance of its
/// own; the move's id has.
fn message_id(id: &MoveId, no: MessageNo) -> String {
    let digest = Sha256::digest(format!("{}/{}", id.0, no.0));
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
