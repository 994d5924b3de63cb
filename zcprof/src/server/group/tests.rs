use super::*;

const SESSION: Duration = Duration::from_secs(6);
const REBALANCE: Duration = Duration::from_mins(1);

/// A group, and the time.
struct GroupScene {
    group: Group,
    now: Instant,
}

impl GroupScene {
    fn new() -> Self {
        Self { group: Group::default(), now: Instant::now() }
    }

    fn ask(&mut self, id: &str, instance: Option<&str>, protocols: &[&str]) -> GroupResult<Waits> {
        let names = protocols.iter().map(|name| ((*name).to_owned(), Bytes::from_static(b"x")));
        let joining = Joining {
            member: id,
            instance,
            client: "test",
            session: SESSION,
            rebalance: REBALANCE,
            protocol_type: "consumer",
            protocols: Protocols(names.collect()),
            version: 9,
        };
        let new_id = format!("new-{}", self.group.size());
        self.group.join(joining, new_id, self.now).map(Waits)
    }

    fn join(&mut self, id: &str) -> Waits {
        self.group.promised.insert(id.to_owned(), self.now + SESSION);
        self.ask(id, None, &["range"]).expect("it may join")
    }

    fn rejoin(&mut self, id: &str) -> Waits {
        self.ask(id, None, &["range"]).expect("it may join")
    }

    fn sync(&mut self, id: &str, given: &[(&str, &str)]) -> GroupResult<Pending<Synced>> {
        let given: Vec<_> =
            given.iter().map(|(id, text)| (*id, Bytes::from((*text).to_owned()))).collect();
        let given: Vec<_> = given.iter().map(|(id, bytes)| (*id, bytes)).collect();
        let who = Who { member: id, instance: None, generation: self.group.generation };
        self.group.sync(&who, (None, None), &given, self.now)
    }

    fn beat(&mut self, id: &str) -> Result<(), ResponseError> {
        let who = Who { member: id, instance: None, generation: self.group.generation };
        self.group.heartbeat(&who, self.now)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.group.expire(self.now);
    }
}

struct Waits(Pending<Joined>);

impl Waits {
    fn told(&mut self) -> Joined {
        self.0.try_recv().expect("an answer").expect("no error")
    }

    fn waits(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

/// Two members that both know what to read.
fn two() -> GroupScene {
    let mut scene = GroupScene::new();
    let mut first = scene.join("a");
    assert_eq!(first.told().leader, "a");
    let mut second = scene.join("b");
    assert!(second.waits());
    assert_eq!(scene.beat("a"), Err(ResponseError::RebalanceInProgress));
    let mut again = scene.rejoin("a");
    let (leads, follows) = (again.told(), second.told());
    assert_eq!((leads.members.len(), follows.members.len()), (2, 0));
    assert_eq!((leads.generation, follows.generation, follows.leader.as_str()), (2, 2, "a"));
    let mut follower = scene.sync("b", &[]).expect("it waits");
    assert!(follower.try_recv().is_err());
    let mut leader = scene.sync("a", &[("a", "left"), ("b", "right")]).expect("it is told");
    let told = |synced: &mut Pending<Synced>| {
        synced.try_recv().expect("an answer").expect("no error").assignment
    };
    assert_eq!((told(&mut leader), told(&mut follower)), ("left".into(), "right".into()));
    scene
}

#[test]
fn members_agree_and_the_leaders_word_is_passed_on() {
    let mut scene = two();
    assert_eq!((scene.beat("a"), scene.beat("b")), (Ok(()), Ok(())));
    // A follower that joins again is told the same; the leader's doing so begins anew.
    assert_eq!(scene.rejoin("b").told().generation, 2);
    assert!(scene.rejoin("a").waits());
    assert_eq!(scene.beat("b"), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn a_member_that_falls_silent_makes_room_when_its_session_ends() {
    let mut scene = two();
    scene.pass(SESSION / 2);
    scene.beat("a").expect("it lives");
    scene.pass(SESSION / 2);
    // b was not heard of for a whole session.
    assert_eq!(scene.beat("a"), Err(ResponseError::RebalanceInProgress));
    assert_eq!(scene.beat("b"), Err(ResponseError::UnknownMemberId));
    let alone = scene.rejoin("a").told();
    assert_eq!((alone.members.len(), alone.generation), (1, 3));
}

#[test]
fn who_comes_back_after_being_killed_waits_for_its_own_old_session_at_most() {
    let mut scene = GroupScene::new();
    scene.join("old").told();
    scene.sync("old", &[("old", "all")]).expect("told");
    let mut back = scene.join("back");
    assert!(back.waits());
    let deadline = scene.group.next_deadline().expect("the old one's");
    assert_eq!(deadline, scene.now + SESSION);
    scene.pass(SESSION);
    let told = back.told();
    assert_eq!((told.leader.as_str(), told.members.len()), ("back", 1));
}

#[test]
fn who_does_not_join_again_in_time_is_left_behind() {
    let mut scene = two();
    let mut third = scene.join("c");
    let mut leader = scene.rejoin("a");
    for _ in 0..12 {
        // b lives, and does not join.
        scene.pass(SESSION / 6 * 5);
        let _ = scene.beat("b");
        if !leader.waits() {
            break;
        }
    }
    scene.pass(REBALANCE);
    assert_eq!(scene.beat("b"), Err(ResponseError::UnknownMemberId));
    drop(third.0.try_recv());
}

#[test]
fn a_member_whose_connection_is_gone_is_not_waited_for_longer_than_its_session() {
    let mut scene = two();
    drop(scene.join("c"));
    let mut others = [scene.rejoin("a"), scene.rejoin("b")];
    assert!(others.iter_mut().all(Waits::waits));
    scene.pass(SESSION);
    assert_eq!(others[0].told().members.len(), 2);
}

#[test]
fn protocols_that_do_not_meet_are_refused() {
    let mut scene = two();
    for protocols in [&["sticky"][..], &[]] {
        let error = scene.ask("", None, protocols).map(|_| ()).expect_err("refused");
        assert_eq!(error, ResponseError::InconsistentGroupProtocol);
    }
    assert_eq!((scene.beat("a"), scene.beat("b")), (Ok(()), Ok(())), "nobody is disturbed");
    let error = scene.ask("stranger", None, &["range"]).map(|_| ()).expect_err("refused");
    assert_eq!(error, ResponseError::UnknownMemberId);
}

#[test]
fn a_static_member_comes_back_at_once_and_its_old_self_is_fenced() {
    let mut scene = GroupScene::new();
    let first = scene.ask("", Some("i"), &["range"]).expect("joins").told();
    let mut synced = scene.sync(&first.member, &[(&first.member, "all")]).expect("told");
    synced.try_recv().expect("an answer").expect("no error");
    let again = scene.ask("", Some("i"), &["range"]).expect("joins").told();
    assert_ne!(again.member, first.member);
    assert_eq!((again.generation, again.skip_assignment), (first.generation, true));
    let mut synced = scene.sync(&again.member, &[]).expect("told");
    let told = synced.try_recv().expect("an answer").expect("no error");
    assert_eq!(told.assignment, "all", "it reads on what it read before");
    let old = scene.ask(&first.member, Some("i"), &["range"]).map(|_| ()).expect_err("fenced");
    assert_eq!(old, ResponseError::FencedInstanceId);
    scene.group.leave("", Some("i"), scene.now).expect("it leaves by its name");
    assert!(scene.group.is_vacant());
}

#[test]
fn an_old_generation_is_told_so_and_who_leaves_is_no_member() {
    let mut scene = two();
    let who = Who { member: "a", instance: None, generation: 1 };
    let error = scene.group.heartbeat(&who, scene.now).expect_err("old");
    assert_eq!(error, ResponseError::IllegalGeneration);
    let stranger = Who { member: "", instance: None, generation: -1 };
    let error = scene.group.may_commit(&stranger, scene.now).expect_err("it has members");
    assert_eq!(error, ResponseError::UnknownMemberId);
    scene.group.leave("b", None, scene.now).expect("it leaves");
    assert_eq!(scene.beat("a"), Err(ResponseError::RebalanceInProgress));
    scene.group.leave("a", None, scene.now).expect("it leaves");
    scene.group.may_commit(&stranger, scene.now).expect("nobody is there");
}
