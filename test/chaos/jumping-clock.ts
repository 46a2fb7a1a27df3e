// Loaded before a server: each SIGUSR2 moves its wall clock, an hour forth, an hour back beyond the truth, and to the truth again.
const RealDate = Date;
const realNow = Date.now;
const JUMPS = [3_600_000, -3_600_000, 0] as const;
let jumped = 0;
let offset = 0;

class JumpingDate extends RealDate {
  constructor(...given: readonly unknown[]) {
    super(...((given.length === 0 ? [JumpingDate.now()] : given) as [number]));
  }

  static override now(): number {
    return realNow() + offset;
  }
}

globalThis.Date = JumpingDate as DateConstructor;
process.on('SIGUSR2', () => {
  offset = JUMPS[jumped % JUMPS.length] ?? 0;
  jumped += 1;
});
