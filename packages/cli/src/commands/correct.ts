/** `keyfold correct`: what a call has cost after all. */
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { addExamples } from '../help.ts';
import { readUsd } from '../option-value.ts';
import { showValue } from '../remote/json.ts';
import { type RemoteOptions, addRemoteOptions, openSession } from '../remote/session.ts';

interface CorrectOptions extends RemoteOptions {
  readonly costUsd: string;
  readonly reason: string;
}

export function addCorrect(program: Command, context: Context): void {
  const correct = addRemoteOptions(program.command('correct'))
    .description('Correct what a call has cost, once. Its row stays, and another says the difference.')
    .argument('<call>', 'its id, as keyfold calls shows it')
    .addOption(new Option('--cost-usd <amount>', 'what it has cost').argParser(readUsd).makeOptionMandatory())
    .requiredOption('--reason <text>', 'why: it is recorded')
    .action(async (id: string, { costUsd, reason, ...options }: CorrectOptions) => {
      const session = openSession(context, options);
      const path = `/v1/calls/${encodeURIComponent(id)}/corrections`;
      const answer = await session.client.send({ method: 'POST', path, body: { cost_usd: costUsd, reason } });
      session.print(answer, () => {
        const [before, after, difference] = ['previous_cost_usd', 'cost_usd', 'difference_usd'].map((name) =>
          showValue(answer[name]),
        );
        return `${id} has cost ${after} USD instead of ${before}: ${difference} are posted.\n`;
      });
    });
  addExamples(
    correct,
    'keyfold correct res_01h455vb4pex5vsknk084sn02q --cost-usd 0.05 --reason "as invoiced"',
  );
}
