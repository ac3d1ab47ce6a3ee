//! One seed: a team, its configurations one after the other, the commands that it runs side by side for each, what goes wrong
//! for them, and, when all is quiet again, whether everything came to a good end.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use byob_plan::event::Event;
use byob_plan::{Mode, Plan};

use crate::Dice;
use crate::hand::meddle;
use crate::judge::{Judge, Watching};
use crate::settled::unsettled;
use crate::wanted::Wanted;
use crate::world::{
    Bugs, Command, Consent, Ended, Faults, Happened, Injected, Luck, Onlooker, Processes, Ran, Shelf, World,
    run,
};

/// What a seed came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What must never be so, and was.
    pub failures: Vec<String>,
    /// How often each check was made.
    pub checks: BTreeMap<&'static str, u64>,
    /// What was injected, by kind.
    pub injected: Injected,
    /// How commands ended, by kind.
    pub ended: BTreeMap<&'static str, u64>,
    /// Writes to the account.
    pub writes: u64,
    /// Points at which a process could have died.
    pub steps: u64,
    /// What happened, a line each, where that was asked for.
    pub trace: Vec<String>,
}

/// Whether a seed's record is kept in objects under a lease, rather than in files.
#[must_use]
pub fn is_remote(seed: u64) -> bool {
    seed % 2 == 1
}

/// The first of the seeds of wide teams.
pub const WIDE: u64 = 1_000_000;

/// Whether a seed's team has a second key, changes labels, forgets buckets and keys, and applies single tables.
#[must_use]
pub fn is_wide(seed: u64) -> bool {
    seed >= WIDE
}

/// Plays one seed. A panic is a failure like any other.
#[must_use]
pub fn play(seed: u64, bugs: Bugs, traced: bool) -> Outcome {
    let team = Rc::new(RefCell::new(None));
    let kept = Rc::clone(&team);
    let played = catch_unwind(AssertUnwindSafe(|| {
        let all = Rc::new(Team::new(seed, bugs, traced));
        *kept.borrow_mut() = Some(Rc::clone(&all));
        all.play();
    }));
    let Some(team) = team.borrow_mut().take() else { return Outcome::default() };
    let mut outcome = team.outcome();
    if let Err(panic) = played {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        outcome.failures.push(format!("panic: {}", said.unwrap_or_default()));
    }
    outcome
}

/// Everybody of one seed, and what they share.
struct Team {
    dice: RefCell<Dice>,
    wide: bool,
    bugs: Bugs,
    world: World,
    shelf: Shelf,
    judge: Rc<Judge>,
    ended: RefCell<BTreeMap<&'static str, u64>>,
    steps: RefCell<u64>,
    writes: RefCell<u64>,
    trace: Option<RefCell<Vec<String>>>,
}

/// One process of a team.
enum Doing {
    Apply { file: String, destroy: bool, target: Option<String>, consent: Consent },
    Plan { file: String },
    Meddle,
}

/// A process that is told of, and judged.
struct Told<'a> {
    team: &'a Team,
    world: &'a World,
    agreed: bool,
}

impl Onlooker for Told<'_> {
    fn locked(&self) {
        if self.agreed {
            self.team.judge.agreed(self.world.process());
        }
        self.team.say(|| format!("process {} has the lock", self.world.process()));
    }

    fn releasing(&self) {
        self.team.judge.unlocked(self.world.process());
    }

    fn planned(&self, plan: &mut Plan) {
        self.team.bugs.turn_round(plan);
    }

    fn begins(&self, plan: &Plan) {
        self.team.say(|| {
            let steps: Vec<String> =
                plan.steps.iter().map(|s| format!("{} {} ({})", s.action.as_str(), s.id, s.phase)).collect();
            format!("process {} runs {steps:?}", self.world.process())
        });
        self.team.judge.begins(self.world.process(), plan, &self.world.account());
    }
}

impl Team {
    fn new(seed: u64, bugs: Bugs, traced: bool) -> Self {
        let world = World::default();
        let shelf = Shelf::new(&world, is_remote(seed), bugs);
        let judge = Rc::new(Judge::default());
        let stored = shelf.another_process(&world.another_process());
        // Read when it was written, and not at every look.
        let read = Rc::new(RefCell::new(Ok(None)));
        let known = Rc::clone(&read);
        let watching =
            Watching { judge: Rc::clone(&judge), stored: Box::new(move || known.borrow().clone()) };
        world.watched_by(Rc::new(watching));
        let (judges, looks) = (Rc::clone(&judge), world.clone());
        shelf.watched_by(Rc::new(move |process, happened| match happened {
            Happened::Locked => judges.locked(process),
            Happened::Written => {
                let now = stored.stored();
                read.borrow_mut().clone_from(&now);
                judges.stored(&now, &looks.account());
            }
        }));
        Self {
            dice: RefCell::new(Dice::new(seed.wrapping_mul(0x0005_deec_e66d).wrapping_add(11))),
            wide: is_wide(seed),
            bugs,
            world,
            shelf,
            judge,
            ended: RefCell::default(),
            steps: RefCell::default(),
            writes: RefCell::default(),
            trace: traced.then(RefCell::default),
        }
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            failures: self.judge.failures(),
            checks: self.judge.checks(),
            injected: self.world.injected(),
            ended: self.ended.borrow().clone(),
            writes: *self.writes.borrow(),
            steps: *self.steps.borrow(),
            trace: self.trace.as_ref().map(|trace| trace.borrow().clone()).unwrap_or_default(),
        }
    }

    fn say(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().push(format!("{:9.3} {}", self.world.time.now().as_secs_f64(), line()));
        }
    }

    fn roll<T>(&self, with: impl FnOnce(&mut Dice) -> T) -> T {
        with(&mut self.dice.borrow_mut())
    }

    fn play(&self) {
        let widened =
            |wanted: Wanted| if self.wide { self.roll(|dice| wanted.widened(dice)) } else { wanted };
        let mut wanted = vec![widened(self.roll(Wanted::first))];
        let rounds = 2 + self.roll(|dice| dice.size(3));
        for round in 0..rounds {
            if round > 0 {
                let last = wanted.last().expect("the first").clone();
                wanted.push(widened(self.roll(|dice| last.next(dice))));
            }
            self.judge.may_forget(wanted.iter().flat_map(Wanted::forgets));
            self.round(&wanted);
            if !self.judge.failures().is_empty() {
                return;
            }
            let pause = self.roll(|dice| dice.of(&[0, 5, 60, 400, 3600]));
            self.world.time.pass(Duration::from_secs(pause));
        }
        let destroyed = self.roll(|dice| dice.one_in(6));
        if destroyed {
            let last = wanted.last().expect("the first").unprotected();
            let file = last.file();
            self.say(|| format!("nothing is protected any more\n{file}"));
            let apply =
                |destroy, consent| Doing::Apply { file: file.clone(), destroy, target: None, consent };
            self.together(vec![apply(false, Consent::Auto)]);
            let destroy = || apply(true, Consent::Asked);
            self.together(vec![destroy(), destroy()]);
            wanted.push(last);
        }
        if self.judge.failures().is_empty() {
            self.in_the_end(&wanted, destroyed);
        }
    }

    /// Commands for one configuration, side by side.
    fn round(&self, wanted: &[Wanted]) {
        let last = wanted.last().expect("the first");
        let newest = last.file();
        self.say(|| format!("wanted\n{newest}"));
        // Somebody else's plan, whose digest is approved.
        let approved = self.roll(|dice| dice.one_in(3)).then(|| self.plan_alone(&newest)).flatten();
        let mut doing = Vec::new();
        let (applies, plans, hands) =
            self.roll(|dice| (1 + dice.size(3), dice.size(2), usize::from(dice.one_in(3))));
        for _ in 0..applies {
            let (file, tables) = match wanted.len() {
                // One works from an older checkout.
                n if n > 1 && self.roll(|dice| dice.one_in(6)) => (wanted[n - 2].file(), &wanted[n - 2]),
                _ => (newest.clone(), last),
            };
            let target = (self.wide && approved.is_none() && self.roll(|dice| dice.one_in(6)))
                .then(|| self.roll(|dice| tables.any_address(dice)))
                .flatten();
            let consent = match &approved {
                Some(digest) => Consent::Digest(digest.clone()),
                None if self.roll(|dice| dice.of(&[true, false])) => Consent::Auto,
                None => Consent::Asked,
            };
            doing.push(Doing::Apply { file, destroy: false, target, consent });
        }
        doing.extend((0..plans).map(|_| Doing::Plan { file: newest.clone() }));
        doing.extend((0..hands).map(|_| Doing::Meddle));
        self.together(doing);
    }

    fn plan_alone(&self, file: &str) -> Option<String> {
        let world = self.world.another_process();
        let shelf = self.shelf.another_process(&world);
        let command = Command::new(&world, &shelf, file);
        let ran = run(&world.time, world.life(), command.try_plan());
        match ran {
            Ran::Ended(Ok(plan)) => Some(plan.digest),
            _ => None,
        }
    }

    /// What goes wrong for one process.
    fn faults(&self, world: &World) -> Faults {
        let mut dice = self.roll(Dice::split);
        let seconds = |n: u64| Duration::from_secs(n);
        let within = dice.of(&[15, 60, 150, 250]);
        if dice.one_in(3) {
            world.life().dies_after_waits(Some(1 + dice.size(within)));
        }
        Faults {
            crash: dice.one_in(3).then(|| 1 + dice.size(within)),
            stale: seconds(dice.of(&[0, 0, 5, 20, 40])),
            arrives_late: dice.one_in(2).then(|| Duration::from_millis(dice.below(3000))),
            listed_after: seconds(dice.of(&[0, 10, 70, 120])),
            late: seconds(dice.of(&[0, 0, 5, 20])),
            clock_jumps: dice.one_in(5).then(|| {
                (1 + dice.size(100), dice.of(&[-1_000_000, -4000, -400, -30, 30, 400, 4000, 1_000_000]))
            }),
            stands_still: dice.one_in(6).then(|| (1 + dice.size(120), seconds(dice.of(&[5, 20, 50, 100])))),
            disk: dice.one_in(6).then(|| (5 + dice.below(20), dice.split())),
            luck: (!dice.one_in(3)).then(|| {
                let one_in = dice.of(&[8, 20, 60]);
                let lasting = dice.one_in(3);
                Luck::new(dice.split(), one_in, lasting)
            }),
            ..Faults::default()
        }
    }

    /// Runs processes side by side.
    fn together(&self, doing: Vec<Doing>) {
        let places: Vec<(World, Shelf)> = doing
            .iter()
            .map(|_| {
                let world = self.world.another_process();
                let shelf = self.shelf.another_process(&world);
                (world, shelf)
            })
            .collect();
        let mut processes = Processes::new(&self.world.time);
        for (what, (world, shelf)) in doing.into_iter().zip(&places) {
            if !matches!(what, Doing::Meddle) {
                *world.faults() = self.faults(world);
            }
            let begins = self.roll(|dice| if dice.one_in(2) { 0 } else { dice.below(90) });
            processes.start(world.life(), async move {
                world.time.sleep(Duration::from_secs(begins)).await;
                match what {
                    Doing::Apply { file, destroy, target, consent } => {
                        let mode = Mode { destroy, target: target.into_iter().collect(), ..Mode::default() };
                        self.apply(world, shelf, &file, mode, consent).await
                    }
                    Doing::Plan { file } => {
                        self.say(|| format!("process {} plans", world.process()));
                        match Command::new(world, shelf, &file).try_plan().await {
                            Ok(_) => "planned",
                            Err(_) => "could not plan",
                        }
                    }
                    Doing::Meddle => {
                        let mut dice = self.roll(Dice::split);
                        let mut what = "";
                        world.behind_its_back(|account| what = meddle(&mut dice, account));
                        world.count("somebody changed something by hand");
                        self.say(|| format!("by hand: {what}"));
                        "meddled"
                    }
                }
            });
        }
        let mut dice = self.roll(Dice::split);
        let ran = processes.run(&mut |n| dice.size(n));
        for ((world, _), ran) in places.iter().zip(ran) {
            self.judge.unlocked(world.process());
            let how = match ran {
                Ran::Ended(how) => how,
                Ran::Crashed => {
                    if world.faults().crash.is_none_or(|at| at as u64 != world.ticks()) {
                        world.count("killed while it waited for something");
                    }
                    "killed"
                }
            };
            *self.ended.borrow_mut().entry(how).or_default() += 1;
            *self.steps.borrow_mut() += world.ticks();
            *self.writes.borrow_mut() += world.writes().len() as u64;
        }
    }

    async fn apply(
        &self,
        world: &World,
        shelf: &Shelf,
        file: &str,
        mode: Mode,
        consent: Consent,
    ) -> &'static str {
        let told = Told { team: self, world, agreed: !matches!(consent, Consent::Auto) };
        let mut command = Command::new(world, shelf, file);
        command.mode = mode;
        command.onlooker = &told;
        command.consent = consent;
        command.lock_timeout = Duration::from_secs(self.roll(|dice| dice.of(&[0, 60, 120, 300])));
        command.interrupt_after = self.roll(|dice| dice.one_in(8).then(|| dice.size(20)));
        self.say(|| {
            let target = if command.mode.target.is_empty() { "" } else { " --target " };
            let named: Vec<&str> = command.mode.target.iter().map(String::as_str).collect();
            format!("process {} begins: {:?}{target}{}", world.process(), command.consent, named.join(" "))
        });
        let ended = command.apply().await;
        if command.was_interrupted() {
            world.count("somebody asked to stop");
        }
        self.say(|| {
            let retried =
                command.events.borrow().iter().filter(|e| matches!(e, Event::Retrying { .. })).count();
            format!("process {} ended ({retried} tries again): {ended:?}", world.process())
        });
        kind(&ended)
    }

    /// Nothing goes wrong any more, and everybody sees everything: it comes to rest, on the newest configuration that can be
    /// applied at all.
    fn in_the_end(&self, wanted: &[Wanted], destroyed: bool) {
        self.say(|| "nothing goes wrong any more".to_owned());
        // What was being destroyed is destroyed, unless it is protected still, or holds something.
        let last = wanted.last().filter(|_| destroyed).map(|last| (last.clone(), true));
        let mut all: VecDeque<(Wanted, bool)> = last.into_iter().collect();
        all.extend(wanted.iter().rev().map(|wanted| (wanted.clone(), false)));
        let mut refused: BTreeSet<String> = BTreeSet::new();
        let mut asked = 0;
        while let Some((wanted, destroy)) = all.pop_front() {
            let file = wanted.file();
            let mut last = None;
            for _ in 0..5 {
                self.world.time.pass(Duration::from_secs(3600));
                let world = self.world.another_process();
                let shelf = self.shelf.another_process(&world);
                let told = Told { team: self, world: &world, agreed: true };
                let mut command = Command::new(&world, &shelf, &file);
                command.onlooker = &told;
                command.mode.destroy = destroy;
                command.consent = Consent::Asked;
                command.lock_timeout = Duration::from_secs(120);
                let ended = run(&world.time, world.life(), command.apply()).ended();
                self.say(|| format!("in the end: {ended:?}"));
                *self.writes.borrow_mut() += world.writes().len() as u64;
                *self.steps.borrow_mut() += world.ticks();
                let done = matches!(ended, Ended::NothingToDo | Ended::AlreadyApplied | Ended::Blocked(_));
                last = Some(ended);
                if done {
                    break;
                }
            }
            match last {
                // What the rules refuse (a protected table taken out, a bucket with data) is not wanted after all; where
                // nothing else is possible, it is left alone, as the help of those errors says.
                Some(Ended::Blocked(why)) => {
                    refused.extend(why.iter().filter_map(|line| {
                        line.split(['.', ' '])
                            .nth(1)
                            .map(|label| format!("{}.{label}", line.split('.').next().unwrap_or_default()))
                    }));
                    if all.is_empty() && self.wide && asked < 3 {
                        asked += 1;
                        let leaving = wanted.leaving(&refused);
                        self.judge.may_forget(leaving.forgets().iter());
                        self.say(|| format!("what is refused is left alone\n{}", leaving.file()));
                        all.push_back((leaving, false));
                    }
                    continue;
                }
                Some(Ended::NothingToDo | Ended::AlreadyApplied) => {}
                other => return self.judge.fail(format!("it does not converge: {other:?}")),
            }
            self.world.time.pass(Duration::from_secs(3600));
            let world = self.world.another_process();
            let shelf = self.shelf.another_process(&world);
            let mut command = Command::new(&world, &shelf, &file);
            command.mode.destroy = destroy;
            let plan = run(&world.time, world.life(), command.plan()).ended();
            let recorded = self.shelf.stored().unwrap_or_default().unwrap_or_default();
            for why in unsettled(&plan, &recorded, &self.world.account(), &self.judge.forgotten()) {
                self.judge.fail(format!("not settled in the end: {why}"));
            }
            return;
        }
        self.judge.fail("no configuration can be applied in the end".to_owned());
    }
}

fn kind(ended: &Ended) -> &'static str {
    match ended {
        Ended::Converged(_) => "converged",
        Ended::NotYetSeen(_) => "not yet seen",
        Ended::Other(_) => "something else was seen",
        Ended::Incomplete(report) if report.interrupted => "interrupted",
        Ended::Incomplete(_) => "incomplete",
        Ended::NothingToDo => "nothing to do",
        Ended::AlreadyApplied => "already applied",
        Ended::Stale(_) => "stale",
        Ended::Blocked(_) => "blocked",
        Ended::Emptied(_) => "refused to empty",
        Ended::Interrupted => "interrupted",
        Ended::Broken(_) => "broken off",
    }
}
