import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeSet;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.FieldVisitor;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;

/**
 * Classes of the app that a class which is written here has to reach into, as reflection would: they are written anew with themselves,
 * their constructors and their fields public.
 */
final class Opened {
    private static final int OTHERS = Opcodes.ACC_PRIVATE | Opcodes.ACC_PROTECTED;

    private final Types types;
    private final TreeSet<String> names = new TreeSet<>();

    Opened(Types types) {
        this.types = types;
    }

    /** The class as a source names it. */
    String name(String internal) {
        if (types.isOwn(internal)) {
            names.add(internal);
        }
        return Classes.sourceName(internal);
    }

    String name(Declared type) {
        return type.element() != null ? name(type.element()) + "[]" : name(type.name());
    }

    void write(Path folder) throws IOException {
        for (String name : names) {
            ClassWriter out = new ClassWriter(0);
            new ClassReader(types.bytes(name)).accept(new ClassVisitor(Opcodes.ASM9, out) {
                @Override
                public void visit(int version, int access, String name, String signature, String parent, String[] interfaces) {
                    super.visit(version, open(access), name, signature, parent, interfaces);
                }

                @Override
                public void visitInnerClass(String name, String outer, String inner, int access) {
                    super.visitInnerClass(name, outer, inner, open(access));
                }

                @Override
                public FieldVisitor visitField(int access, String name, String descriptor, String signature, Object value) {
                    boolean isFixed = (access & Opcodes.ACC_STATIC) != 0;
                    return super.visitField(isFixed ? access : open(access) & ~Opcodes.ACC_FINAL, name, descriptor, signature, value);
                }

                @Override
                public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] thrown) {
                    return super.visitMethod(name.equals("<init>") ? open(access) : access, name, descriptor, signature, thrown);
                }
            }, 0);
            Path file = folder.resolve(name + ".class");
            Files.createDirectories(file.getParent());
            Files.write(file, out.toByteArray());
        }
    }

    private static int open(int access) {
        return access & ~OTHERS | Opcodes.ACC_PUBLIC;
    }
}
