import { App } from 'aws-cdk-lib';
import { pipelines } from '../../pipelines';
import { MeridianStack } from './meridian-stack';
import { RuntimeStack } from './runtime-stack';

// `CDK_OUTDIR=<folder> tsx infra/aws/app.ts` writes the template without the CDK's command line.
const app = new App({
  analyticsReporting: false, // else every synthesis on another machine has another template
  context: { '@aws-cdk/aws-iam:minimizePolicies': true },
});
new MeridianStack(app, 'Meridian', { pipelines });
new RuntimeStack(app, 'MeridianRuntime');
app.synth();
