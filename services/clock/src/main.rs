//! Clock: sends ticks, and keeps the page that tells the time of day.
//!
//! It takes no requests and reads nothing that another PD writes, so nobody can send anything through it. It alone can
//! program the timer. It must never wait for a receiver of ticks.
//!
//! While it is dead nobody's time-outs run; its next life goes on at once, and reads the calendar again.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use clock_core::{mc146818, ticks, ticks::Due, wall::Wall};
use pd::{time::now_us, Doorbell, Irq, Notification, SharedPage};

mod arch;
pd::layout!("clock");
pd::main!(run);

fn run(start: &'static pd::Start) -> ! {
    let timer_us = ticks::timer_period(layout::TICKS.iter().map(|tick| tick.period_us));
    let now = now_us();
    let mut receivers: Vec<_> =
        layout::TICKS.iter().map(|tick| (Doorbell::new(tick.signal), Due::new(tick.period_us, now))).collect();
    let notification = Notification::new(layout::NOTIFICATION);
    let irq = Irq::new(layout::IRQ_TIMER);
    arch::start_timer(timer_us);
    // A former life may have left an interrupt unacknowledged.
    irq.ack();
    set_wall_clock(start.tsc_hz);
    loop {
        if irq.is_in(notification.wait()) {
            irq.ack();
        }
        let now = now_us();
        for (receiver, due) in &mut receivers {
            if due.is_due(now, timer_us / 2) {
                receiver.ring();
            }
        }
    }
}

fn set_wall_clock(counter_hz: u64) {
    match mc146818::read(&mut arch::Calendar::open()) {
        Ok(seconds) => {
            let page = SharedPage::new(layout::MEMORY_WALL_CLOCK);
            let wall = Wall { seconds, counter: pd::time::ticks(), counter_hz };
            wall.write(|i| page.load(i), |i, value| page.store(i, value));
            log::info!("{seconds} seconds since 1970");
        }
        // The page stays as it is: without a time, or with the one that the former life wrote.
        Err(error) => log::error!("no time of day: {error:?}"),
    }
}
