//! The compiled shaders.

use wgpu::{
    ComputePipeline, ComputePipelineDescriptor, Device, PipelineCompilationOptions,
    ShaderModuleDescriptor, ShaderSource,
};
use zipnn::gpu::Shader;

/// A compute pipeline for each shader that plans use.
pub(crate) struct Pipelines(Vec<(Shader, ComputePipeline)>);

impl Pipelines {
    /// Compiles the shaders. `lanes` threads share each stream.
    pub(crate) fn new(device: &Device, lanes: u32) -> Self {
        let used = Shader::ALL.into_iter().filter(|&shader| shader != Shader::Widen);
        Self(used.map(|shader| (shader, pipeline(device, shader, lanes))).collect())
    }

    /// Returns the pipeline of a shader.
    pub(crate) fn get(&self, shader: Shader) -> Option<&ComputePipeline> {
        self.0.iter().find(|(compiled, _)| *compiled == shader).map(|(_, pipeline)| pipeline)
    }
}

fn pipeline(device: &Device, shader: Shader, lanes: u32) -> ComputePipeline {
    let module = device.create_shader_module(ShaderModuleDescriptor {
        label: Some("zipnn"),
        source: ShaderSource::Wgsl(shader.source().into()),
    });
    let constants: &[(&str, f64)] = match shader {
        Shader::Decode => &[("LANES", lanes.into())],
        Shader::DecodePairs => &[("LANES", lanes.into()), ("PAIRS", 1.0)],
        _ => &[],
    };
    device.create_compute_pipeline(&ComputePipelineDescriptor {
        label: Some("zipnn"),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: PipelineCompilationOptions { constants, ..Default::default() },
        cache: None,
    })
}
