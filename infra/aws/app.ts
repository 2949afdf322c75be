import { App } from 'aws-cdk-lib';
import { pipelines } from '../../pipelines';
import { MeridianStack } from './meridian-stack';

// `npm run synth`: the templates go to cdk.out, or to the folder that CDK_OUTDIR names, without the CDK's command line and the network.
const app = new App({
  outdir: process.env['CDK_OUTDIR'] ?? 'cdk.out',
  analyticsReporting: false, // else every synthesis on another machine has another template
  context: { '@aws-cdk/aws-iam:minimizePolicies': true },
});
new MeridianStack(app, 'Meridian', { pipelines });
app.synth();
