// Runs one bundle of specs under Jasmine in a process of its own and sends every result to test/run.ts.
import Jasmine from 'jasmine';

/** Fulfilled once the last result is on its way: newer Nodes drop what is not when the process disconnects. */
let sent;
const send = ({ fullName, description, status, failedExpectations }) => {
  const messages = failedExpectations.map(({ message, stack }) => `${message}\n${stack}`);
  if (status === 'failed' && messages.length === 0) messages.push('Spec has no expectations');
  const result = { name: fullName ?? description ?? 'all specs', status, messages };
  sent = new Promise((resolve) => process.send(result, resolve));
};
const sendFailure = (result) => result.failedExpectations.length && send({ ...result, status: 'failed' });

const jasmine = new Jasmine();
jasmine.exitOnCompletion = false;
jasmine.clearReporters();
jasmine.addReporter({ specDone: send, suiteDone: sendFailure, jasmineDone: sendFailure });
await jasmine.execute([process.argv[2]]);
await sent;
process.disconnect();
