// This process runs one bundle of specs under Jasmine. It sends every result to test/run.ts.
import Jasmine from 'jasmine';

/** Resolves when the result has been sent. Jasmine waits for that: results not sent yet would be lost when the process ends. */
const send = ({ fullName, description, status, failedExpectations, duration }) => {
  const messages = failedExpectations.map(({ message, stack }) => `${message}\n${stack}`);
  if (status === 'failed' && messages.length === 0) messages.push('Spec has no expectations');
  const name = fullName ?? description ?? 'all specs';
  return new Promise((sent) => process.send({ name, status, messages, milliseconds: duration ?? 0 }, sent));
};
/** A spec that the run leaves out has the status 'excluded'. */
const sendSpec = (result) => (result.status === 'excluded' ? undefined : send(result));
const sendFailure = (result) =>
  result.failedExpectations.length ? send({ ...result, status: 'failed' }) : undefined;

const jasmine = new Jasmine();
jasmine.exitOnCompletion = false;
jasmine.clearReporters();
jasmine.addReporter({ specDone: sendSpec, suiteDone: sendFailure, jasmineDone: sendFailure });
await jasmine.execute([process.argv[2]]);
process.disconnect();
