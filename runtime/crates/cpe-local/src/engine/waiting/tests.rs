use super::*;

type Numbers = Lines<&'static str, (), u32>;

fn serve(lines: &mut Numbers, from: &mut Vec<u32>) -> usize {
    let handouts = lines.hand_out(&"a", |()| Ok(from.pop())).unwrap();
    let served = handouts.len();
    handouts.into_iter().for_each(Handout::release);
    served
}

async fn outcome(ticket: Ticket<u32>, wait: Duration) -> Option<u32> {
    ticket.wait(wait, &CancellationToken::new()).await.unwrap()
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn the_first_to_come_is_the_first_to_be_served() {
    let mut lines = Numbers::default();
    let (first, second, third) = (lines.join("a", ()), lines.join("a", ()), lines.join("a", ()));
    assert_eq!(serve(&mut lines, &mut vec![2, 1]), 2);
    assert_eq!(outcome(first, MINUTE).await, Some(1));
    assert_eq!(outcome(second, MINUTE).await, Some(2));
    assert_eq!(lines.len(&"a"), 1);
    assert_eq!(outcome(third, MINUTE).await, None);
    assert_eq!(lines.len(&"a"), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_handed_to_those_who_left() {
    let mut lines = Numbers::default();
    let (gone, late, here) = (lines.join("a", ()), lines.join("a", ()), lines.join("a", ()));
    drop(gone);
    assert_eq!(outcome(late, MINUTE).await, None);
    let mut ready = vec![2, 1];
    assert_eq!(serve(&mut lines, &mut ready), 1);
    assert_eq!(ready, [2]);
    assert_eq!(outcome(here, MINUTE).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_on_its_way_is_waited_for() {
    let mut lines = Numbers::default();
    let ticket = lines.join("a", ());
    let handouts = lines.hand_out(&"a", |()| Ok(Some(7))).unwrap();
    // The commit takes longer than the poll may wait.
    let waiting = tokio::spawn(outcome(ticket, Duration::ZERO));
    tokio::time::sleep(MINUTE).await;
    handouts.into_iter().for_each(Handout::release);
    assert_eq!(waiting.await.unwrap(), Some(7));
}

#[tokio::test(start_paused = true)]
async fn who_wants_to_leave_while_nothing_is_found_leaves() {
    let mut lines = Numbers::default();
    let ticket = lines.join("a", ());
    let mut line = lines.lines.remove("a").unwrap();
    let ((), waiter) = line.pop_front().unwrap();
    assert!(waiter.take());
    let waiting = tokio::spawn(outcome(ticket, Duration::ZERO));
    tokio::time::sleep(MINUTE).await;
    assert!(waiter.put_back().is_none());
    assert_eq!(waiting.await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_at_once() {
    let mut lines = Numbers::default();
    let ticket = lines.join("a", ());
    let stop = CancellationToken::new();
    stop.cancel();
    let begun = tokio::time::Instant::now();
    assert_eq!(ticket.wait(MINUTE, &stop).await.unwrap(), None);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_stopped_engine_ends_the_wait_with_an_error() {
    let mut lines = Numbers::default();
    let ticket = lines.join("a", ());
    drop(lines);
    assert!(ticket.wait(MINUTE, &CancellationToken::new()).await.is_err());
}

#[tokio::test]
async fn lines_that_nobody_waits_in_are_swept_out() {
    let mut lines = Lines::<usize, (), u32>::default();
    for key in 0..10_000 {
        drop(lines.join(key, ()));
    }
    assert!(lines.lines.len() <= SWEEP_AT_LEAST, "{} lines are kept", lines.lines.len());
}
