// Runs one case in this process and prints what it measured as JSON. `main.ts` starts one such process per case, so that none inherits another's heap.
import { CASES } from './cases.ts';
import { withWorkbench } from './workbench.ts';

const [name = '', rounds = ''] = process.argv.slice(2);
const found = CASES.find((one) => one.name === name);
if (found === undefined) throw new Error(`no case ${name}`);
const measured = await withWorkbench(rounds === '' ? found.rounds : Number(rounds), (bench) => found.run(bench));
process.stdout.write(`${JSON.stringify(measured)}\n`, () => process.exit(0));
