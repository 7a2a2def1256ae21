//! The metrics page.

use super::{BuildInfo, Family, Value};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Registry,
};

#[derive(Debug)]
struct Families(Vec<Family>);

pub(super) fn render(build: BuildInfo, families: Vec<Family>) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    let labels = vec![("version", build.version), ("revision", build.revision)];
    registry.register("virga_build", "What this program is", Info::new(labels));
    registry.register_collector(Box::new(Families(families)));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        self.0.iter().try_for_each(|family| family.encode(&mut encoder))
    }
}

impl Family {
    fn encode(&self, encoder: &mut DescriptorEncoder) -> Result<(), std::fmt::Error> {
        match &self.value {
            Value::Counter { label, points } => {
                let mut metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Counter)?;
                for (text, count) in points {
                    match label {
                        Some(label) => ConstCounter::new(*count).encode(metric.encode_family(&[(*label, text.as_str())])?)?,
                        None => metric.encode_counter::<NoLabelSet, _, u64>(count, None)?,
                    }
                }
                Ok(())
            }
            Value::Gauge(value) => {
                ConstGauge::new(*value).encode(encoder.encode_descriptor(self.name, self.help, None, MetricType::Gauge)?)
            }
            Value::Histogram { buckets, sum } => {
                let mut metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Histogram)?;
                metric.encode_histogram::<NoLabelSet>(*sum, buckets.iter().map(|(_, count)| count).sum(), buckets, None)
            }
        }
    }
}
