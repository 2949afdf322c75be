import { App, type AppProps } from 'aws-cdk-lib';
import { pipelines } from '../../pipelines';
import { DeploymentStack } from './deployment-stack';
import { MeridianStack } from './meridian-stack';
import { MonitoringStack } from './monitoring-stack';
import { RuntimeStack } from './runtime-stack';

/** Every stack of Meridian, not yet written anywhere: what `app.ts` synthesises and the checks read is the same tree. */
export function meridianApp(props: AppProps = {}): App {
  const app = new App({
    ...props,
    analyticsReporting: false, // else every synthesis on another machine has another template
    context: { '@aws-cdk/aws-iam:minimizePolicies': true },
  });
  new DeploymentStack(app, 'MeridianDeployment');
  new MeridianStack(app, 'Meridian', { pipelines });
  new MonitoringStack(app, 'MeridianMonitoring', { pipelines });
  new RuntimeStack(app, 'MeridianRuntime');
  return app;
}
